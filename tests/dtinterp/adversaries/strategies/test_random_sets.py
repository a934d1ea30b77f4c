from dataclasses import replace

import torch

from dtinterp.adversaries.edits.observation_edit import table_of
from dtinterp.adversaries.naturalness import naturalness
from dtinterp.adversaries.problem import Tally
from dtinterp.adversaries.strategies.exhaustive import exhaustive
from dtinterp.adversaries.strategies.random_sets import drawn, random_sets


def _rng():
    return torch.Generator().manual_seed(0)


def test_it_spends_its_budget_on_sets_of_each_size_and_never_beats_all_of_them(problem):
    made = problem()
    tally, everything = Tally(made, left=3000), Tally(made, left=10_000)
    assert random_sets(made, tally, _rng()) == "none"
    exhaustive(made, everything, _rng())
    assert tally.total == 3000
    assert abs(tally.n_evaluated[1] - tally.n_evaluated[2]) <= 1024
    assert tally.lowest >= everything.lowest


def test_draws_are_allowed_and_of_the_size_asked_for(problem):
    made = problem(edits="frame", reach="shown")
    sets = drawn(made, 2, 50, _rng())
    assert sets.shape == (50, 2)
    assert made.naturalness.allows(sets, made.budget).all()


def test_where_nothing_is_allowed_it_gives_up(problem, view, cells):
    """Recoloured things lie nowhere in this world, so edits of these alone can never be possible."""
    made = problem(reach="possible", n_edits=1)
    colours = [row for row, edit in enumerate(made.table.edits) if edit.words.startswith("recolour")]
    table = table_of(made.table.original, [made.table.edits[row] for row in colours])
    costs = naturalness(view, table, cells)
    tally = Tally(replace(made, table=table, naturalness=costs), left=10_000)
    assert random_sets(tally.problem, tally, _rng()) == "none"
    assert tally.total == 0
