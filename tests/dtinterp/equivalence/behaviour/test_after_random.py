"""Plays on classes after random actions: what changes nothing, what must change all, and what is drawn."""

import numpy as np
import pytest
import torch

from dtinterp.equivalence.behaviour.after_random import (
    CLASSES,
    RANDOM,
    Merged,
    QuotientPlay,
    Wanderer,
    Wandering,
    always,
    any_member,
    permuted,
    rest_merged,
    sparing,
    wander,
)
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.populations.own_play import PlayConfig
from dtinterp.foundation.statistics import Interval

CONFIG = PlayConfig(n_plays=8, most_random=3)


@pytest.fixture(scope="module")
def wanderer(model, graph):
    return Wanderer.of(model, graph, torch.arange(len(graph.frames)), CONFIG)


@pytest.fixture(scope="module")
def pairs(wanderer):
    return partition_of(torch.arange(len(wanderer.place)) // 2, "pairs")


def test_observations_as_they_are_change_nothing_and_one_for_all_does(wanderer):
    n = len(wanderer.place)
    merges = {
        CLASSES: Merged(n, 1, always(torch.arange(n))),
        "random, all one": Merged(1, 3, any_member(partition_of(torch.zeros(n, dtype=torch.int64), "one"))),
    }
    found = wander(wanderer, merges, n_from_starts=4, seed=0)
    own, one = found.played
    assert (own.change.low, own.change.high, own.same_end, own.same_actions) == (0, 0, 1, 1)
    assert own.mean_return.estimate == pytest.approx(found.intact.estimate)
    assert (one.n_draws, one.mean_return.n) == (3, 3)
    assert one.same_actions < 1
    assert one.least_return <= one.mean_return.estimate


def test_draws_that_are_played_together_are_played_as_alone(wanderer, pairs):
    rng = np.random.default_rng(0)
    shown = [any_member(pairs)(rng) for _ in range(3)]
    together = wanderer.plays(shown)
    for each, alone in zip(together, (wanderer.plays([one])[0] for one in shown), strict=True):
        assert each.same_actions(alone).all()


def test_members_are_of_the_same_class_and_all_are_drawn(pairs):
    rng = np.random.default_rng(0)
    draws = torch.stack([any_member(pairs)(rng) for _ in range(40)])
    assert torch.equal(pairs.label[draws], pairs.label.expand(40, -1))
    assert all(
        len(column.unique()) == int(pairs.sizes[label]) for column, label in zip(draws.T, pairs.label, strict=True)
    )


def test_permuted_classes_are_as_large_and_others(pairs):
    shown = permuted(pairs)(np.random.default_rng(0))
    assert len(shown.unique()) == pairs.n_classes
    assert not torch.equal(pairs.label[shown], pairs.label)


def test_what_is_spared_keeps_a_class_of_its_own(wanderer):
    is_met = torch.arange(len(wanderer.place)) < 5
    for seed in range(10):
        shown = sparing(6, is_met)(np.random.default_rng(seed))
        assert len(shown[is_met].unique()) == 5


def test_the_rest_is_one_class(pairs):
    is_met = torch.arange(len(pairs.label)) < 5
    found = rest_merged(pairs, is_met, "rest")
    assert found.n_classes == 4
    assert len(found.label[~is_met].unique()) == 1
    assert torch.equal(found.label[is_met], pairs.label[is_met])


def test_what_is_met_is_what_plays_show(wanderer):
    plays = wanderer.intact()
    shown = plays.frame_id[plays.is_running].unique()
    assert wanderer.met(plays).nonzero().squeeze(1).tolist() == shown.tolist()


def _played(name, change):
    low, high = change
    lost = Interval((low + high) / 2, low, high, 64)
    return QuotientPlay(name, 8, 1, Interval(0.5, 0.4, 0.6, 64), 0.5, lost, 1.0, 1.0)


@pytest.mark.parametrize(
    ("own", "random", "is_kept"),
    [
        ((-0.01, 0.0), (-0.4, -0.3), True),
        ((-0.2, 0.1), (-0.4, -0.3), False),  # nothing is shown by an interval that is wide
        ((-0.01, 0.0), (-0.4, -0.01), False),
    ],
)
def test_return_is_kept_where_hardly_any_can_be_lost_and_random_classes_lose_more(own, random, is_kept):
    played = (_played(CLASSES, own), _played(f"{RANDOM}, of these sizes", random))
    assert Wandering(64, 12, 80, 16, Interval(0.6, 0.5, 0.7, 64), played).is_kept == is_kept
