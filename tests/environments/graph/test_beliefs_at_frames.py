from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from environments.graph.beliefs import (
    WindowsOfGraph,
    beliefs,
    reachable_beliefs,
    same_beliefs,
    same_window_beliefs,
    window_beliefs,
)
from environments.graph.enumeration import CONTINUES, FAILURE, NOWHERE, SUCCESS
from environments.graph.evaluation import PAD
from environments.graph.partitions import bisimulation, frame_partition, is_refined_by
from environments.graph.state_graph import StateGraph, state_graph

STATIC = "MiniGrid-MemoryS7FixedStartStatic-v0"
LARGER = "MiniGrid-MemoryS7FixedStart-v0"


@pytest.fixture(scope="module")
def graph() -> StateGraph:
    return state_graph(STATIC)


def test_a_belief_is_about_states_that_look_alike(graph):
    for belief in reachable_beliefs(graph):
        assert len(set(graph.frame_id[list(belief)].tolist())) == 1


def test_every_state_is_believed_in_after_some_history(graph):
    assert {state for belief in reachable_beliefs(graph) for state in belief} == set(range(graph.n_states))


def test_beliefs_follow_from_histories(graph):
    """Walk every history of three steps slowly, and keep the starts that would have shown the same."""
    believed = set(reachable_beliefs(graph))
    for first in graph.start.tolist():
        for history in ((0, 1, 2), (2, 2, 0), (1, 2, 2), (3, 4, 2)):
            state, possible = first, {s for s in graph.start.tolist() if graph.frame_id[s] == graph.frame_id[first]}
            for action in history:
                state = int(graph.next_state[state, action])
                if state < 0:
                    break
                moved = {int(graph.next_state[each, action]) for each in possible}
                possible = {each for each in moved if each >= 0 and graph.frame_id[each] == graph.frame_id[state]}
                assert tuple(sorted(possible)) in believed


def test_frames_of_the_same_beliefs_are_bisimilar_where_the_first_frame_tells_all():
    """In these worlds no two starts look alike, so an ideal observer always knows the state."""
    graph = state_graph(LARGER)
    assert max(map(len, reachable_beliefs(graph))) == 1
    assert (same_beliefs(graph) == frame_partition(graph, bisimulation(graph))).all()


def test_bisimilar_frames_are_told_apart_at_most(graph):
    assert is_refined_by(frame_partition(graph, bisimulation(graph)), same_beliefs(graph))
    assert 1 < same_beliefs(graph).max() + 1 < len(graph.frames)


CORRIDOR, PORCH = 2, 3
"""Frames of the toy world that are bisimilar. One may wait in the corridor until the start is forgotten."""


@pytest.fixture(scope="module")
def toy() -> StateGraph:
    """Two starts that look different lead to corridor and porch, then to a fork; these do not tell the start.

    At the fork the first action pays after one start, the second after the other. Numbered in pairs, one of each start:
    starts, corridor, porch, fork. Action 0 goes on, 1 goes to the porch, and waits, back in the corridor.
    """
    next_state = [[2, 4], [3, 5], [6, 2], [7, 3], [6, 2], [7, 3], [NOWHERE, NOWHERE], [NOWHERE, NOWHERE]]
    outcome = [[CONTINUES] * 2] * 6 + [[SUCCESS, FAILURE], [FAILURE, SUCCESS]]
    return StateGraph(
        env_id="toy",
        max_steps=5,
        frames=np.arange(5, dtype=np.uint8).repeat(3).reshape(5, 1, 1, 3),
        frame_id=np.array([0, 1, 2, 2, 3, 3, 4, 4], dtype=np.int32),
        next_state=np.array(next_state, dtype=np.int32),
        outcome=np.array(outcome, dtype=np.int8),
        facts=np.zeros((8, 9), dtype=np.int16),
        overview=np.zeros((8, 1, 1, 3), dtype=np.uint8),
        start=np.array([0, 1], dtype=np.int32),
        start_probability=np.array([0.5, 0.5]),
        steps_to_success=np.array([3, 3, 2, 2, 2, 2, 1, 1], dtype=np.int32),
        optimal=np.ones((8, 2), dtype=bool),
    )


def _walked(graph: StateGraph, n_slots: int) -> set[tuple[int, ...]]:
    """Walk every way there is, and collect for each window the states in which it was ever seen to end."""
    ends: dict[object, set[int]] = {}
    for start in graph.start.tolist():
        for n_moves in range(graph.max_steps):
            for moves in product(range(graph.n_actions), repeat=n_moves):
                states = [start]
                for action in moves:
                    states.append(int(graph.next_state[states[-1], action]))
                    if states[-1] == NOWHERE:
                        break
                if states[-1] != NOWHERE:
                    shown = graph.frame_id[states[-n_slots:]].tolist()
                    between = moves[len(moves) - len(shown) + 1 :]
                    ends.setdefault((tuple(shown), between, len(states) < n_slots), set()).add(states[-1])
    return {tuple(sorted(each)) for each in ends.values()}


@pytest.mark.parametrize("n_slots", range(1, 7))
def test_beliefs_of_windows_are_those_of_all_walks_seen_through_them(toy, n_slots):
    found = window_beliefs(toy, n_slots)
    assert set(found) == _walked(toy, n_slots)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("n_slots", range(1, 8))
def test_starts_that_look_alike_are_in_doubt_whatever_the_window(toy, n_slots):
    alike = replace(toy, frames=toy.frames[:4], frame_id=np.array([0, 0, 1, 1, 2, 2, 3, 3], dtype=np.int32))
    found = window_beliefs(alike, n_slots)
    assert set(found) == _walked(alike, n_slots)
    assert all(len(belief) == 2 for belief in found)


def _together(label: np.ndarray) -> bool:
    return bool(label[CORRIDOR] == label[PORCH])


def test_a_window_may_forget_in_one_place_what_it_never_forgets_in_another(toy):
    assert _together(same_beliefs(toy))
    assert _together(frame_partition(toy, bisimulation(toy)))
    found = [_together(same_window_beliefs(toy, n_slots)) for n_slots in range(1, 7)]
    assert found == [True, False, False, False, True, True]


def test_a_window_as_long_as_an_episode_forgets_nothing(toy, graph):
    for world in (toy, graph):
        assert set(window_beliefs(world, world.max_steps)) == set(reachable_beliefs(world))
        for n_slots in (world.max_steps, world.max_steps + 3):
            assert (same_window_beliefs(world, n_slots) == same_beliefs(world)).all()


def test_a_window_of_one_slot_says_only_which_states_show_its_frame(toy, graph):
    for world in (toy, graph):
        shown = [tuple(np.flatnonzero(world.frame_id == frame).tolist()) for frame in range(len(world.frames))]
        assert set(window_beliefs(world, 1)) == set(shown)
        assert (same_window_beliefs(world, 1) == frame_partition(world, bisimulation(world))).all()


def test_beliefs_of_windows_are_those_that_the_world_has_for_them(graph):
    """Random walks of nine steps, through windows of four slots."""
    rng, n_slots = np.random.default_rng(0), 4
    frame_id = np.full((60, n_slots), PAD, dtype=np.int32)
    action = np.full_like(frame_id, PAD)
    for walk in range(60):
        state = rng.choice(graph.start)
        frame_id[walk, -1] = graph.frame_id[state]
        for taken in rng.choice([0, 1, 2, 2], size=walk % 10):
            if graph.outcome[state, taken] != CONTINUES:
                break
            state = graph.next_state[state, taken]
            frame_id[walk] = [*frame_id[walk, 1:], graph.frame_id[state]]
            action[walk] = [*action[walk, 1:], taken]
    possible = beliefs(graph, WindowsOfGraph(frame_id, action))
    assert {tuple(np.flatnonzero(row).tolist()) for row in possible} <= set(window_beliefs(graph, n_slots))


def test_a_window_without_slots_is_refused(toy):
    with pytest.raises(ValueError, match="the windows have 0 slots, expected at least 1"):
        window_beliefs(toy, 0)
