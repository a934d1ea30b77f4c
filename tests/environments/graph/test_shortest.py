"""Shortest ways to success: a planted world, a forward search from each state, and following the way."""

import numpy as np
import pytest

from environments.graph.exploration import CONTINUES, FAILURE, NOWHERE, SUCCESS
from environments.graph.shortest import NO_WAY, optimal_actions, steps_to_success
from environments.graph.state_graph import StateGraph, state_graph

IDS = ["MiniGrid-MemoryS7FixedStart-v0", "MiniGrid-MemoryS7FixedStartStatic-v0"]

# 0 -> 1 -> success; 2 -> 1 or 0; 3 fails or stays; 4 -> 3 only.
NEXT_STATE = np.array([[1, 0], [NOWHERE, 0], [1, 0], [NOWHERE, 3], [3, 3]], dtype=np.int32)
OUTCOME = np.array([[0, 0], [SUCCESS, 0], [0, 0], [FAILURE, 0], [0, 0]], dtype=np.int8)


def _search_forward(graph: StateGraph, state: int) -> int:
    """Breadth-first search from one state, the slow way."""
    frontier, seen, steps = {state}, {state}, 0
    while frontier:
        steps += 1
        if any((graph.outcome[place] == SUCCESS).any() for place in frontier):
            return steps
        arrivals = {int(arrival) for place in frontier for arrival in graph.next_state[place] if arrival != NOWHERE}
        frontier = arrivals - seen
        seen |= frontier
    return NO_WAY


def test_planted_distances_are_found() -> None:
    assert steps_to_success(NEXT_STATE, OUTCOME).tolist() == [2, 1, 2, NO_WAY, NO_WAY]


def test_planted_shortest_actions_are_found_and_none_where_there_is_no_way() -> None:
    steps = steps_to_success(NEXT_STATE, OUTCOME)
    expected = [[True, False], [True, False], [True, False], [False, False], [False, False]]
    assert optimal_actions(NEXT_STATE, OUTCOME, steps=steps).tolist() == expected


@pytest.mark.parametrize("env_id", IDS)
def test_distances_agree_with_a_search_from_each_state(env_id: str) -> None:
    graph = state_graph(env_id)
    for state in range(0, graph.n_states, 11):
        assert graph.steps_to_success[state] == _search_forward(graph, state)


@pytest.mark.parametrize("env_id", IDS)
def test_an_action_is_optimal_exactly_when_it_comes_one_step_closer(env_id: str) -> None:
    graph = state_graph(env_id)
    for state, action in np.ndindex(graph.n_states, graph.n_actions):
        outcome = graph.outcome[state, action]
        closer = outcome == CONTINUES and (
            graph.steps_to_success[graph.next_state[state, action]] == graph.steps_to_success[state] - 1
        )
        assert graph.optimal[state, action] == (outcome == SUCCESS or closer)


def test_every_state_of_the_movable_world_has_a_way_to_success() -> None:
    graph = state_graph(IDS[0])
    assert graph.steps_to_success.min() == 1
    assert graph.optimal.any(axis=1).all()
