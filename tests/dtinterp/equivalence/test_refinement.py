"""Refinement with a made-up oracle that knows the true distances, and shows a few of them a round."""

import pytest
import torch

from dtinterp.dataset.windows import Windows
from dtinterp.equivalence.classes import classes, partition_of
from dtinterp.equivalence.contexts import Contexts
from dtinterp.equivalence.inside import Attempts
from dtinterp.equivalence.refinement import refine, shared_places, worst_of
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
    return (_contexts(len(pairs)), _attempts(pairs)) if pairs else (None, None)


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
    none = refine(formed, _blind(), epsilon=0.1, n_rounds=3, fresh=lambda *_: (None, None))
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
    assert worst_of(attempts, _contexts(2), torch.arange(N), n=5, above=0.1) == []
