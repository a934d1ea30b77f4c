"""Stakes against hand-built worlds whose stakes are known, and against exact returns in a real one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dtinterp.equivalence.truth.stakes import stakes_of
from environments.graph.enumeration import CONTINUES, FAILURE, SUCCESS
from environments.graph.evaluation import evaluate_states
from environments.graph.random_play import random_play

LEFT, RIGHT = 0, 1


def _one_step_world(graph, shown, right):
    """A world of one step: state x shows `shown[x]`, the action `right[x]` succeeds and the other one fails.

    All states are starts, equally likely; 50 steps are the time limit, so that success pays 0.982.
    """
    n, outcome = len(shown), np.full((len(shown), 2), FAILURE, dtype=np.int8)
    outcome[np.arange(n), right] = SUCCESS
    return replace(
        graph,
        frames=graph.frames[: max(shown) + 1],
        frame_id=np.array(shown, dtype=np.int32),
        next_state=np.full((n, 2), -1, dtype=np.int32),
        outcome=outcome,
        facts=graph.facts[:n],
        overview=graph.overview[:n],
        start=np.arange(n, dtype=np.int32),
        start_probability=np.full(n, 1 / n),
        steps_to_success=np.ones(n, dtype=np.int32),
        optimal=outcome == SUCCESS,
    )


def _stakes(world, n_frames, longest=0):
    return stakes_of(world, torch.arange(n_frames), random_play(world, longest))


def test_a_pair_in_which_the_same_is_right_has_nothing_at_stake_and_the_other_one_a_whole_return(graph):
    """By hand: 0 and 1 both want left, 2 wants right; taken for 2, the return of 0.982 is lost."""
    stakes = _stakes(_one_step_world(graph, [0, 1, 2], [LEFT, LEFT, RIGHT]), 3)
    assert stakes.between == pytest.approx(np.array([[0, 0, 0.982], [0, 0, 0.982], [0.982, 0.982, 0]]))
    assert stakes.own.tolist() == [0, 0, 0]
    assert stakes.right.tolist() == [0, 0, 1]


def _two_rooms(graph):
    """0 and 1 are first frames of two rooms each; what follows, 2 and 3, hides the room, which 0 and 1 tell.

    From 0 one comes to a state that shows 2 or, the other way, 3; from 1 as well, and what was right is wrong there.
    """
    world = _one_step_world(graph, [0, 1, 2, 2, 3, 3], [LEFT, LEFT, LEFT, RIGHT, LEFT, RIGHT])
    next_state, outcome = np.full((6, 2), -1, dtype=np.int32), world.outcome.copy()
    next_state[0], next_state[1], outcome[:2] = (2, 4), (3, 5), CONTINUES
    start = np.array([0, 1], dtype=np.int32)
    steps, optimal = np.array([2, 2, 1, 1, 1, 1], dtype=np.int32), outcome == SUCCESS
    optimal[:2] = True
    return replace(
        world,
        next_state=next_state,
        outcome=outcome,
        start=start,
        start_probability=np.full(2, 0.5),
        steps_to_success=steps,
        optimal=optimal,
    )


def test_pictures_that_hide_the_same_two_histories_have_a_stake_of_their_own_and_none_between_them(graph):
    """By hand: right in one history is wrong in the other, so half of 0.982 is lost, by 2 and 3 as by 2 and 2."""
    stakes = _stakes(_two_rooms(graph), 4, longest=1)
    assert stakes.own == pytest.approx([0, 0, 0.491, 0.491])
    assert stakes.between == pytest.approx(np.zeros((4, 4)), abs=1e-9)
    assert stakes.right[2] == stakes.right[3]
    assert stakes.is_met.all()


def test_what_is_never_met_has_no_stake_and_is_said_so(graph):
    stakes = _stakes(_two_rooms(graph), 4, longest=0)
    assert stakes.is_met.tolist() == [True, True, False, False]
    assert not stakes.between.any()


def test_under_a_belief_in_several_states_the_action_that_is_right_most_often_loses_nothing(graph):
    """By hand: 0 hides left, left and right, which nobody can tell; right there loses a third of 0.982.

    Left, where 1 is shown, loses all of it, and that is the larger.
    """
    stakes = _stakes(_one_step_world(graph, [0, 0, 0, 1], [LEFT, LEFT, RIGHT, RIGHT]), 2)
    assert stakes.own.tolist() == [0, 0]
    assert stakes.between[0, 1] == pytest.approx(0.982)
    turned = _stakes(_one_step_world(graph, [0, 0, 0, 1, 1], [LEFT, LEFT, RIGHT, LEFT, RIGHT]), 2)
    assert turned.between[0, 1] == pytest.approx(0.982 / 6), (
        "1 wants either, so half of the time right is imitated at 0"
    )


def test_an_observation_has_no_stake_against_itself_nor_against_one_of_equal_histories(graph):
    stakes = stakes_of(graph, torch.arange(len(graph.frames)), random_play(graph, 12))
    assert (stakes.own > 0).any()
    assert not stakes.between.diagonal().any()
    assert np.array_equal(stakes.between, stakes.between.T)
    assert 0 <= stakes.between.min() < stakes.between.max() < 1


def test_a_stake_is_what_one_wrong_action_loses_of_the_exact_return(graph):
    """Act optimally from a state, but for one first action that is right somewhere else."""
    best = graph.optimal / np.maximum(graph.optimal.sum(1, keepdims=True), 1)
    best[graph.optimal.sum(1) == 0, 0] = 1
    single = np.flatnonzero(np.bincount(graph.frame_id)[graph.frame_id] == 1)  # what they show tells the state
    state, *others = int(graph.start[0]), *single[:12].tolist()
    places = torch.from_numpy(graph.frame_id[[state, *others]]).long()
    stakes, n_compared = stakes_of(graph, places, random_play(graph, 12)), 0
    assert state in single
    for column, other in enumerate(others, start=1):
        losses = [_loss(graph, best, here, there) for here, there in ((state, other), (other, state))]
        assert stakes.between[0, column] == pytest.approx(max(losses), abs=1e-9)
        n_compared += max(losses) > 0.001
    assert n_compared > 3


def _loss(graph, policy, here, there):
    """The mean return lost by one action here that is right there."""
    right = np.flatnonzero(graph.optimal[there])
    return np.mean([_value(graph, policy, here) - _after(graph, policy, here, int(action)) for action in right])


def _value(graph, policy, state, steps=0):
    """The return of acting so from a state, in a world that was left `steps` steps before."""
    alone = replace(graph, start=np.array([state], dtype=np.int32), start_probability=np.ones(1))
    earned = evaluate_states(alone, policy)
    return earned.expected_return - 0.9 * steps / graph.max_steps * earned.success


def _after(graph, policy, state, action):
    if graph.outcome[state, action] == CONTINUES:
        return _value(graph, policy, int(graph.next_state[state, action]), steps=1)
    return 1 - 0.9 / graph.max_steps if graph.outcome[state, action] == SUCCESS else 0.0
