"""Shortest ways to success: a planted world, a forward search from each state, and following the way."""

from collections.abc import Callable

import numpy as np
import pytest

from environments.graph.enumeration import CONTINUES, FAILURE, NOWHERE, SUCCESS
from environments.graph.shortest import NO_WAY, optimal_actions, steps_to_success
from environments.graph.state_graph import StateGraph, layout_graph, state_graph
from environments.registration import twin_ids
from environments.twin.layouts import draw_layouts

IDS = ["MiniGrid-MemoryS7FixedStart-v0", "MiniGrid-MemoryS7FixedStartStatic-v0"]

TOO_LARGE = {
    **dict.fromkeys(
        (
            "MiniGrid-BlockedUnlockPickup-v0",
            *(f"MiniGrid-KeyCorridor{size}-v0" for size in ("S4R3", "S5R3", "S6R3")),
            "MiniGrid-LockedRoom-v0",
            *(f"MiniGrid-ObstructedMaze-{kind}-v0" for kind in ("2Dl", "2Dlh", "2Dlhb", "1Q", "2Q", "Full")),
            *(f"MiniGrid-ObstructedMaze-{kind}-v1" for kind in ("2Dlhb", "1Q", "2Q", "Full")),
        ),
        "things can be put down anywhere: more than 400,000 states from one layout",
    ),
    "MiniGrid-Playground-v0": "there is no task, and more than 400,000 states from one layout",
}
"""Ids whose optimal actions are not known, and why."""

LARGE = (
    "MiniGrid-DoorKey-16x16-v0",
    "MiniGrid-GoToObject-8x8-N2-v0",
    "MiniGrid-KeyCorridorS3R3-v0",
    "MiniGrid-ObstructedMaze-1Dlhb-v0",
)
"""Ids with 60,000 to 400,000 states."""

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


@pytest.mark.filterwarnings("ignore:.*out of date")
@pytest.mark.parametrize("env_id", [env_id for env_id in twin_ids() if env_id not in {*TOO_LARGE, *LARGE}])
@pytest.mark.parametrize("seed", [3, 4, 5])
def test_optimal_actions_succeed_in_minigrid_as_early_as_the_graph_says(
    env_id: str, seed: int, watch: Callable, agrees: Callable
) -> None:
    watched = watch(env_id)
    _succeed(watched, seed)
    agrees(watched)


@pytest.mark.slow
@pytest.mark.parametrize("env_id", LARGE)
def test_optimal_actions_succeed_in_large_worlds_too(env_id: str, watch: Callable, agrees: Callable) -> None:
    watched = watch(env_id)
    _succeed(watched, 3)
    agrees(watched)


@pytest.mark.filterwarnings("ignore:.*out of date")
@pytest.mark.parametrize("env_id", TOO_LARGE)
def test_worlds_without_optimal_actions_are_too_large_for_them(env_id: str) -> None:
    with pytest.raises(ValueError, match="has more than 30000 states from these layouts"):
        layout_graph(draw_layouts(env_id, [3]), max_states=30_000)


def _succeed(watched, seed: int) -> None:
    """Take one optimal action after the other, any of those there are; reward must come with the last, not before."""
    watched.reset(seed)
    rng = np.random.default_rng(seed)
    graph = layout_graph(draw_layouts(watched.spec.env_id, [seed]))
    state = int(graph.start[0])
    n_steps = int(graph.steps_to_success[state])
    assert 0 < n_steps <= graph.max_steps
    for remaining in range(n_steps, 0, -1):
        assert graph.steps_to_success[state] == remaining
        assert np.array_equal(graph.frames[graph.frame_id[state]], watched.scene.image)
        action = int(rng.choice(np.flatnonzero(graph.optimal[state])))
        watched.step(action)
        state = int(graph.next_state[state, action])
    told = [move.told[0] for move in watched.moves]
    assert told == [0.0] * (n_steps - 1) + [1 - 0.9 * (n_steps / graph.max_steps)], watched.moves[-1].origin
