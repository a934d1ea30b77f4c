import numpy as np
import pytest
import torch

from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.truth.disagreements import contrasts, stakes_of
from environments.graph.enumeration import CONTINUES
from environments.graph.evaluation import Expectation, evaluate_states

N = 4


def _relation():
    distance = torch.tensor([[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]]) / 10
    return Relation(distance, distance, torch.ones(N, N, dtype=torch.int64), torch.arange(20, 20 + N), "toy")


def _judge(chosen):
    """Showing 2 as 3 costs half, nothing else costs anything."""
    earned = 0.5 if chosen[2] == 3 else 1.0
    return Expectation(earned, earned, 0.0, 1.0)


STAKES = np.array([[0, 0.2, 0, 0], [0.1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


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


def _pairs(ranked):
    return [(each.frame - 20, each.other - 20) for each in ranked]


ONE, ALL = torch.zeros(N).long(), torch.arange(N)
EVERYWHERE = np.triu(np.arange(16, 0, -1).reshape(N, N) / 20, 1)
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

    def judge(chosen):
        """Only the pair that is least apart costs anything, in one direction."""
        earned = 0.75 if chosen[1] == 0 else 1.0
        return Expectation(earned, earned, 0.0, 1.0)

    found = contrasts(_relation(), ours, world, stakes=STAKES, judge=judge, n_shown=3)
    assert _pairs(found.distractions) == [(0, 1), (2, 3), (1, 3)]
    assert [each.lost for each in found.distractions] == [0.25, 0, 0]
    assert (found.n_distractions, found.n_costly_distractions) == (6, 1)


def test_what_rounding_takes_is_no_loss():
    def judge(chosen):
        return Expectation(1.0 - 1e-15 * int(chosen[3] == 1), 1.0, 0.0, 1.0)

    ours, world = partition_of(ALL, "ours"), partition_of(ONE, "world")
    found = contrasts(_relation(), ours, world, stakes=STAKES, judge=judge, n_shown=6)
    assert found.n_costly_distractions == 0
    assert _pairs(found.distractions)[0] == (2, 3)


def test_frames_that_are_not_the_same_are_refused():
    ours, world = partition_of(ONE, "ours"), partition_of(ONE[:3], "world")
    with pytest.raises(ValueError, match="4, 3 and 4 frames: expected the same"):
        contrasts(_relation(), ours, world, stakes=STAKES, judge=_judge, n_shown=1)


def test_acting_as_is_right_here_costs_nothing_here(graph):
    single = [frame for frame in range(len(graph.frames)) if (graph.frame_id == frame).sum() == 1]
    stakes = stakes_of(graph, torch.tensor(single))
    assert np.allclose(stakes.diagonal(), 0)
    assert 0 <= stakes.min() < stakes.max() < 1


def test_a_stake_is_what_one_wrong_action_loses_of_the_exact_return(graph):
    """Act optimally from a state, but for one first action that is right somewhere else."""
    best = graph.optimal / np.maximum(graph.optimal.sum(1, keepdims=True), 1)
    best[graph.optimal.sum(1) == 0, 0] = 1
    state = int(graph.start[0])
    others = [s for s in range(graph.n_states) if (graph.frame_id == graph.frame_id[s]).sum() == 1][:12]
    places = torch.tensor([int(graph.frame_id[state]), *(int(graph.frame_id[s]) for s in others)])
    assert (graph.frame_id == graph.frame_id[state]).sum() == 1
    stakes, n_compared = stakes_of(graph, places), 0
    for column, other in enumerate(others, start=1):
        right = np.flatnonzero(graph.optimal[other])
        losses = [_value(graph, best, state) - _after(graph, best, state, int(action)) for action in right]
        assert losses
        assert stakes[0, column] == pytest.approx(np.mean(losses), abs=1e-9)
        n_compared += max(losses) > 0.001
    assert n_compared > 3


def _value(graph, policy, state, steps=0):
    """The return of acting so from a state, in a world that was left `steps` steps before."""
    from dataclasses import replace

    alone = replace(graph, start=np.array([state], dtype=np.int32), start_probability=np.ones(1))
    earned = evaluate_states(alone, policy)
    return earned.expected_return - 0.9 * steps / graph.max_steps * earned.success


def _after(graph, policy, state, action):
    if graph.outcome[state, action] == CONTINUES:
        return _value(graph, policy, int(graph.next_state[state, action]), steps=1)
    return 1 - 0.9 / graph.max_steps if graph.outcome[state, action] == 1 else 0.0
