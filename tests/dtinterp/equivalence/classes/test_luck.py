"""Classes over draws of contexts."""

import numpy as np
import pytest
import torch

from dtinterp.equivalence.classes.luck import EPSILONS, LINKAGES, luck_of
from dtinterp.equivalence.partition import classes
from dtinterp.equivalence.swaps.interchange import summed
from dtinterp.equivalence.swaps.trials import try_swaps


@pytest.fixture(scope="module")
def trials(model, contexts, items):
    return try_swaps(model, contexts, items=items, frame_id=contexts.frame_id.unique())


@pytest.fixture(scope="module")
def luck(trials):
    return luck_of(trials, epsilon=0.05, n_draws=20, generator=np.random.default_rng(0))


def test_all_contexts_give_the_classes_that_are_certified(trials, luck):
    relation = summed(trials).relation("toy")
    for epsilon in EPSILONS:
        assert luck.count(epsilon).estimate == classes(relation, epsilon).n_classes


def test_fewer_distinct_contexts_tell_no_more_apart(luck):
    for each in luck.counts:
        assert each.n_classes.high <= each.n_classes.estimate


def test_a_looser_linkage_or_a_larger_epsilon_makes_no_more_classes(luck):
    for epsilon in EPSILONS:
        complete, average, single = (luck.count(epsilon, by).estimate for by in LINKAGES)
        assert complete >= average >= single
    counts = [luck.count(epsilon).estimate for epsilon in EPSILONS]
    assert counts == sorted(counts, reverse=True)


def test_an_observation_is_always_with_itself_and_pairs_that_differ_everywhere_never_together(trials, luck):
    assert torch.equal(luck.together.diagonal(), torch.ones(len(trials.frame_id)))
    assert torch.equal(luck.together, luck.together.T)
    peak = torch.stack([trials.peak[trials.contexts.frame_id == frame].min(0).values for frame in trials.frame_id])
    always_apart = torch.maximum(peak, peak.T) > 0.05
    assert always_apart.any()
    assert not luck.together[always_apart].any()
