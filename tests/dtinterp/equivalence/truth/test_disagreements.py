from dataclasses import replace

import numpy as np
import pytest
import torch

from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.truth.disagreements import StakeSummary, contrasts
from dtinterp.equivalence.truth.stakes import Stakes
from environments.graph.evaluation import Expectation

N = 4


def _relation():
    distance = torch.tensor([[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]]) / 10
    return Relation(distance, distance, torch.ones(N, N, dtype=torch.int64), torch.arange(20, 20 + N), "toy")


def _judge(shown):
    """Showing 2 as 3 costs half, nothing else costs anything."""
    return [Expectation(0.5 if chosen[2] == 3 else 1.0, 1.0, 0.0, 1.0) for chosen in shown]


def _stakes(above, right=range(N), own=(0, 0, 0, 0)):
    between = np.array(above, dtype=float)
    unlike, is_met = np.array(right, dtype=np.int32), np.array([True, True, True, False])
    return Stakes(3, between + between.T, np.array(own, dtype=float), unlike, is_met)


STAKES = _stakes([[0, 0.2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


def test_pairs_that_are_joined_with_something_at_stake_are_confusions():
    ours, world = partition_of(torch.tensor([0, 0, 0, 1]), "ours"), partition_of(torch.tensor([0, 1, 2, 2]), "world")
    found = contrasts(_relation(), ours, world, stakes=STAKES, judge=_judge, n_shown=5)
    assert (found.n_joined, found.n_confusions) == (3, 1)
    (confusion,) = found.confusions
    assert (confusion.frame, confusion.other, confusion.stake, confusion.lost) == (20, 21, 0.2, 0)
    assert confusion.divergence == pytest.approx(0.1)


def test_pairs_that_are_alike_and_kept_apart_are_distractions():
    ours, world = partition_of(torch.tensor([0, 0, 1, 2]), "ours"), partition_of(torch.tensor([0, 0, 1, 1]), "world")
    found = contrasts(_relation(), ours, world, stakes=STAKES, judge=_judge, n_shown=5)
    assert (found.n_alike, found.n_distractions) == (2, 1)
    (distraction,) = found.distractions
    assert (distraction.frame, distraction.other, distraction.lost) == (22, 23, 0.5)


def test_no_pair_that_the_world_calls_the_same_is_a_confusion():
    """By bisimulation 0 and 1, by what is right 2 and 3; something is said to be at stake in all pairs."""
    ours, world = partition_of(ONE, "ours"), partition_of(torch.tensor([0, 0, 1, 2]), "world")
    stakes = replace(EVERYWHERE, right=np.array([0, 1, 2, 2], dtype=np.int32))
    found = contrasts(_relation(), ours, world, stakes=stakes, judge=_judge, n_shown=6)
    assert sorted(_pairs(found.confusions)) == [(0, 2), (0, 3), (1, 2), (1, 3)]
    assert (found.n_joined, found.n_confusions, found.n_distractions) == (6, 4, 0)


def test_it_is_said_which_histories_were_looked_at_and_what_was_taken_off():
    ours, world = partition_of(ONE, "ours"), partition_of(ALL, "world")
    stakes = replace(EVERYWHERE, own=np.array([0, 0.25, 0.125, 0]))
    found = contrasts(_relation(), ours, world, stakes=stakes, judge=_judge, n_shown=0)
    assert found.stakes == StakeSummary(longest=3, most=0.75, n_possible=6, n_own=2, most_own=0.25, n_unmet=1)


def _pairs(ranked):
    return [(each.frame - 20, each.other - 20) for each in ranked]


ONE, ALL = torch.zeros(N).long(), torch.arange(N)
EVERYWHERE = _stakes(np.triu(np.arange(16, 0, -1).reshape(N, N) / 20, 1))
"""Something at stake in every pair, least in the last."""


def test_a_confusion_that_costs_the_model_comes_before_those_with_more_at_stake():
    ours, world = partition_of(ONE, "ours"), partition_of(ALL, "world")
    found = contrasts(_relation(), ours, world, stakes=EVERYWHERE, judge=_judge, n_shown=2)
    assert _pairs(found.confusions) == [(2, 3), (0, 1)]
    assert (found.n_confusions, found.n_costly_confusions) == (6, 1)
    assert found.confusions[0].lost == 0.5
    assert found.confusions[0].stake < found.confusions[1].stake


def test_a_distraction_that_costs_the_model_comes_before_those_that_it_tells_apart_more():
    ours, world = partition_of(ALL, "ours"), partition_of(ONE, "world")

    def judge(shown):
        """Only the pair that is least apart costs anything, in one direction."""
        return [Expectation(0.75 if chosen[1] == 0 else 1.0, 1.0, 0.0, 1.0) for chosen in shown]

    found = contrasts(_relation(), ours, world, stakes=STAKES, judge=judge, n_shown=3)
    assert _pairs(found.distractions) == [(0, 1), (2, 3), (1, 3)]
    assert [each.lost for each in found.distractions] == [0.25, 0, 0]
    assert (found.n_distractions, found.n_costly_distractions) == (6, 1)


def test_what_rounding_takes_is_no_loss():
    def judge(shown):
        return [Expectation(1.0 - 1e-15 * int(chosen[3] == 1), 1.0, 0.0, 1.0) for chosen in shown]

    ours, world = partition_of(ALL, "ours"), partition_of(ONE, "world")
    found = contrasts(_relation(), ours, world, stakes=STAKES, judge=judge, n_shown=6)
    assert found.n_costly_distractions == 0
    assert _pairs(found.distractions)[0] == (2, 3)


def test_frames_that_are_not_the_same_are_refused():
    ours, world = partition_of(ONE, "ours"), partition_of(ONE[:3], "world")
    with pytest.raises(ValueError, match="4, 3 and 4 frames: expected the same"):
        contrasts(_relation(), ours, world, stakes=STAKES, judge=_judge, n_shown=1)
