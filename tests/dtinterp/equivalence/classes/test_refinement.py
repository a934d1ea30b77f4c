"""Refinement with a made-up oracle that knows the true distances, and shows a few of them a round."""

from dataclasses import replace

import pytest
import torch

from dtinterp.dataset.windows import Windows
from dtinterp.equivalence.classes.refinement import Round, has_ended, later, refine, shared_places, worst_of
from dtinterp.equivalence.partition import classes, partition_of
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.equivalence.swaps.within_class import Attempts, Tries

LINE = torch.tensor([0.0, 0.01, 0.02, 0.5, 0.51, 0.9])
TRUTH = (LINE - LINE[:, None]).abs()
N = len(LINE)


def _contexts(n):
    """The first window's last step is 40, each further one's ten more; swaps are at slots 4, 5, 4, 5, …"""
    zeros = torch.zeros(n, 10, dtype=torch.int64)
    step = 31 + torch.arange(10 * n).view(n, 10)
    windows = Windows(zeros.float(), zeros, zeros, zeros, zeros == 0, step)
    return Contexts(windows, 4 + torch.arange(n) % 2)


def _attempts(pairs):
    place, stand_in = torch.tensor(pairs).T
    peak = TRUTH[place, stand_in]
    return Attempts(torch.arange(len(pairs)), place, stand_in, peak, torch.full_like(place, 6))


def _blind():
    """Nothing told the frames apart when the classes were made."""
    nothing = torch.zeros(N, N)
    return Relation(nothing, nothing, torch.ones(N, N, dtype=torch.int64), torch.arange(10, 10 + N), "blind")


def _oracle(partition, _):
    pairs = [(a, b) for a in shared_places(partition) for b in partition.members(int(partition.label[a])).tolist()]
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    return Tries(_contexts(len(pairs)), _attempts(pairs)) if pairs else None


def test_counterexamples_split_classes_until_none_is_found():
    everything = classes(_blind(), 0.1)
    assert everything.n_classes == 1
    found = refine(everything, _blind(), epsilon=0.1, n_rounds=5, fresh=_oracle)
    assert found.partition.label.tolist() == [0, 0, 0, 1, 1, 2]
    assert [each.n_classes for each in found.rounds] == [3, 3]
    assert [each.n_counterexamples > 0 for each in found.rounds] == [True, False]
    assert found.rounds[0].n_swaps == N * (N - 1)


def test_the_result_refines_what_was_given_and_no_swap_inside_it_is_beyond():
    formed = partition_of(torch.tensor([0, 0, 1, 1, 0, 1]), "formed")
    found = refine(formed, _blind(), epsilon=0.3, n_rounds=5, fresh=_oracle).partition
    for label in range(found.n_classes):
        members = found.members(label)
        assert len(formed.label[members].unique()) == 1
        assert TRUTH[members][:, members].max() <= 0.3


def test_without_rounds_or_contexts_classes_stay_as_they_are():
    formed = classes(_blind(), 0.1)
    assert torch.equal(refine(formed, _blind(), epsilon=0.1, n_rounds=0, fresh=_oracle).partition.label, formed.label)
    none = refine(formed, _blind(), epsilon=0.1, n_rounds=3, fresh=lambda *_: None)
    assert none.rounds == ()
    assert torch.equal(none.partition.label, formed.label)


def test_the_worst_counterexamples_can_be_opened():
    found = refine(classes(_blind(), 0.1), _blind(), epsilon=0.1, n_rounds=5, fresh=_oracle)
    worst = found.counterexamples[0]
    assert (worst.frame, worst.stand_in) == (10, 15)
    assert worst.divergence == pytest.approx(0.9)
    assert (worst.step, worst.slot, worst.decision) == (80, 4, 6)  # the fifth swap of the oracle
    assert len(found.counterexamples) == 5


def test_the_worst_counterexamples_are_those_of_all_rounds_whenever_they_were_found():
    """Planted: the first round sees 0 and 3 only, half a bit apart; the second sees the pairs that are left."""

    def slowly(partition, number):
        return Tries(_contexts(1), _attempts([(0, 3)])) if number == 0 else _oracle(partition, number)

    everything = classes(_blind(), 0.1)
    found = refine(everything, _blind(), epsilon=0.1, n_rounds=5, fresh=slowly)
    assert found.rounds[0].n_counterexamples == 1
    seen = [swap.divergence for swap in found.counterexamples]
    tried = torch.cat([each.attempts.peak for each in found.tries])
    assert seen == pytest.approx(tried.sort(descending=True).values[:5].tolist())
    assert seen[0] > 0.5 > seen[-1] - 1e-6


def test_what_only_one_direction_shows_splits_a_pair_and_is_kept_from_round_to_round():
    """Each round tries one ordered pair; what an earlier one found is not forgotten when the class is split again."""
    pairs = [(4, 0), (5, 0), (3, 5)]

    def one_at_a_time(_, number):
        return Tries(_contexts(1), _attempts([pairs[number]]))

    found = refine(classes(_blind(), 0.1), _blind(), epsilon=0.1, n_rounds=3, fresh=one_at_a_time)
    label = found.partition.label
    assert all(label[one] != label[other] for one, other in pairs)
    assert [each.n_contexts for each in found.rounds] == [1, 1, 1]


def test_a_round_counts_its_contexts_and_the_swaps_in_them():
    """Two contexts, three swaps, of which two are beyond: one frame of a context may have several class-mates."""
    attempts = replace(_attempts([(0, 1), (0, 3), (5, 0)]), context=torch.tensor([0, 0, 1]))
    found = refine(
        classes(_blind(), 0.1), _blind(), epsilon=0.1, n_rounds=1, fresh=lambda *_: Tries(_contexts(2), attempts)
    )
    (only,) = found.rounds
    assert (only.n_contexts, only.n_swaps, only.n_counterexamples) == (2, 3, 2)
    assert only.n_classes == found.partition.n_classes
    assert [(each.step, each.stand_in) for each in found.counterexamples] == [(50, 10), (40, 13)]


def test_a_divergence_of_just_epsilon_is_no_counterexample():
    half = torch.tensor([0.5])
    attempts = Attempts(torch.tensor([0]), torch.tensor([0]), torch.tensor([3]), half, torch.tensor([6]))

    def once(*_):
        return Tries(_contexts(1), attempts)

    kept = refine(classes(_blind(), 0.5), _blind(), epsilon=0.5, n_rounds=3, fresh=once)
    assert kept.partition.n_classes == 1
    assert kept.counterexamples == ()
    assert [each.n_counterexamples for each in kept.rounds] == [0]


def test_swaps_within_epsilon_are_no_counterexamples():
    attempts = _attempts([(0, 1), (3, 4)])
    assert worst_of(Tries(_contexts(2), attempts), torch.arange(N), n=5, above=0.1) == []


def _round(n_counterexamples):
    return Round(n_contexts=8, n_swaps=16, n_counterexamples=n_counterexamples, n_classes=3)


def test_refinement_ends_with_a_round_that_finds_none_or_with_nothing_left_and_not_with_its_last_round():
    assert has_ended([_round(2), _round(0)], 2)
    assert has_ended([_round(2), _round(1), _round(0)], 3)
    assert not has_ended([_round(2), _round(0), _round(1)], 3)
    assert has_ended([_round(2)], 2)
    assert has_ended([], 2)
    assert not has_ended([_round(2), _round(1)], 2)


def test_what_was_tried_later_is_counted_inside_each_class_with_its_worst_swap():
    partition = partition_of(torch.tensor([0, 0, 0, 1, 1, 2]), "toy")
    pairs = [(0, 1), (2, 0), (0, 5), (3, 4), (1, 2)]  # the third leads out of its class
    found = later(partition, {"verification": Tries(_contexts(5), _attempts(pairs))}, torch.arange(10, 10 + N))
    assert [(each.label, each.stage, each.n_swaps) for each in found] == [
        (0, "verification", 3),
        (1, "verification", 1),
    ]
    first = found[0].worst
    assert first is not None
    assert (first.frame, first.stand_in, first.step, first.slot) == (12, 10, 50, 5)
    assert found[0].maximum == first.divergence == pytest.approx(0.02)


def test_swaps_of_two_tries_stay_with_their_contexts():
    one, other = (
        Tries(_contexts(2), _attempts([(0, 1), (1, 0)])),
        Tries(_contexts(3), _attempts([(3, 4), (4, 3), (2, 0)])),
    )
    both = one + other
    assert len(both.contexts) == len(both.attempts) == 5
    assert both.attempts.context.tolist() == [0, 1, 2, 3, 4]
    assert both.attempts.place.tolist() == [0, 1, 3, 4, 2]
