from dataclasses import replace

import torch

from dtinterp.adversaries.problem import Tally
from dtinterp.adversaries.strategies.beam import FIRST_TRIED, beam, greedy, promises
from dtinterp.adversaries.strategies.exhaustive import exhaustive

RNG = torch.Generator()


def test_the_greedy_pair_is_the_best_that_contains_the_best_single_edit(problem):
    made = problem()
    tally = Tally(made, left=10**6)
    greedy(made, tally, RNG)
    assert tally.n_evaluated[1] == 40
    (first,) = tally.best[1].edits
    pairs = made.allowed(torch.tensor([[first, other] for other in range(40)]))
    assert tally.best[2].value <= float(made.values(pairs).min()) + 1e-5


def test_a_beam_finds_no_less_than_greedy_search_and_no_more_than_there_is(problem):
    made = problem()
    tallies = {search: Tally(made, left=10**6) for search in (greedy, beam, exhaustive)}
    for search, tally in tallies.items():
        search(made, tally, RNG)
    assert tallies[exhaustive].lowest <= tallies[beam].lowest <= tallies[greedy].lowest
    assert tallies[greedy].total < tallies[beam].total < tallies[exhaustive].total


def test_no_set_is_evaluated_twice_and_the_budget_is_kept(problem):
    made = problem()
    tally = Tally(made, left=70)
    seen: list[tuple[int, ...]] = []
    evaluate = tally.evaluate
    tally.evaluate = lambda sets: seen.extend(map(tuple, sets.tolist())) or evaluate(sets)
    beam(made, tally, RNG)
    assert tally.total == 70
    assert len(set(seen)) == len(seen)


def test_features_guide_to_edits_that_move_them(problem, linear, features):
    """Without a dictionary all edits promise the same; with one, what it promises falls with what happens."""
    made = replace(problem(linear, edits="frame"), features=features)
    found = promises(made)
    assert not promises(replace(made, features=None)).any()
    singles = torch.arange(len(made.table))[:, None]
    values = made.values(singles)
    assert values.argmin() in found.argsort(stable=True)[:FIRST_TRIED]
    assert torch.corrcoef(torch.stack([found, values]))[0, 1] > 0.5
