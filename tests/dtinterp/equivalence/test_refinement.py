"""Refinement with a made-up oracle that knows the true distances, and shows a few of them a round."""

import pytest
import torch

from dtinterp.dataset.windows import Windows
from dtinterp.equivalence.classes import classes, partition_of
from dtinterp.equivalence.contexts import Contexts
from dtinterp.equivalence.inside import Attempts, Tries
from dtinterp.equivalence.refinement import Round, has_ended, later, refine, shared_places, worst_of
from dtinterp.equivalence.relation import Relation

LINE = torch.tensor([0.0, 0.01, 0.02, 0.5, 0.51, 0.9])
TRUTH = (LINE - LINE[:, None]).abs()
N = len(LINE)


def _contexts(n):
    zeros = torch.zeros(n, 10, dtype=torch.int64)
    windows = Windows(zeros.float(), zeros, zeros, zeros, zeros == 0, zeros + 40)
    return Contexts(windows, torch.full((n,), 4))


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
    assert (worst.step, worst.slot, worst.decision) == (40, 4, 6)
    assert len(found.counterexamples) == 5


def test_swaps_within_epsilon_are_no_counterexamples():
    attempts = _attempts([(0, 1), (3, 4)])
    assert worst_of(Tries(_contexts(2), attempts), torch.arange(N), n=5, above=0.1) == []


def _round(n_counterexamples):
    return Round(n_contexts=8, n_swaps=16, n_counterexamples=n_counterexamples, n_classes=3)


def test_refinement_ends_with_a_round_that_finds_none_or_with_nothing_left_and_not_with_its_last_round():
    assert has_ended([_round(2), _round(0)], 2)
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
    assert (first.frame, first.stand_in, first.step, first.slot) == (12, 10, 40, 4)
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
