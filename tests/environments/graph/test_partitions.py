"""Partitions of states and frames: the known answers, slow definitions, and how they nest."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from environments.families.memory import MEMORY_FACTS
from environments.graph.enumeration import NOWHERE, SUCCESS, number_rows
from environments.graph.partitions import (
    bisimulation,
    frame_partition,
    is_refined_by,
    optimal_actions,
    same_image,
    timed_bisimulation,
)
from environments.graph.shortest import NO_WAY
from environments.graph.state_graph import StateGraph, layout_graph, state_graph
from environments.registration import SUPPORTED_IDS
from environments.twin.layouts import draw_layouts

MOVABLE = "MiniGrid-MemoryS7FixedStart-v0"
STATIC = "MiniGrid-MemoryS7FixedStartStatic-v0"
UPSTREAM = "MiniGrid-MemoryS7-v0"
KEY, BALL = 5, 6

PUT_NEAR = "MiniGrid-PutNear-6x6-N2-v0"
"""Where one can fail, and where one can be lost without having failed."""

Partition = Callable[[StateGraph], np.ndarray]


def _graph(env_id: str) -> StateGraph:
    """A memory world from all its starts, another world from one."""
    return state_graph(env_id) if env_id in SUPPORTED_IDS else layout_graph(draw_layouts(env_id, [3]))


def _mirrored(frames: np.ndarray) -> np.ndarray:
    """The frames with every key a ball and every ball a key."""
    mirrored = frames.copy()
    mirrored[..., 0][frames[..., 0] == KEY] = BALL
    mirrored[..., 0][frames[..., 0] == BALL] = KEY
    return mirrored


def _is_told_apart(graph: StateGraph) -> np.ndarray:
    """Bool[state state]: whether some sequence of actions earns more from one, by marking pairs (Moore 1956).

    After an episode nothing is earned, which is one more thing that a state can be told apart from.
    """
    pays = np.vstack([graph.outcome == SUCCESS, np.zeros((1, graph.n_actions), dtype=bool)])
    apart = (pays[:, None] != pays[None]).any(axis=-1)
    while True:
        after = np.zeros_like(apart)
        for action in range(graph.n_actions):
            arrival = _arrival(graph, action)
            after |= apart[np.ix_(arrival, arrival)]
        if not (after & ~apart).any():
            return apart[:-1, :-1]
        apart |= after


def _arrival(graph: StateGraph, action: int) -> np.ndarray:
    """Where an action leads from each state, and from the end, which is numbered last."""
    next_state = graph.next_state[:, action]
    return np.append(np.where(next_state == NOWHERE, graph.n_states, next_state), graph.n_states)


def _refines(fine: np.ndarray, coarse: np.ndarray) -> bool:
    """Whether things alike in the fine partition are alike in the coarse one."""
    return len(np.unique(np.stack([fine, coarse]), axis=1).T) == fine.max() + 1


@pytest.mark.parametrize("env_id", [STATIC, UPSTREAM, PUT_NEAR, "MiniGrid-LavaGapS5-v0", "MiniGrid-Fetch-5x5-N2-v0"])
def test_bisimulation_agrees_with_marking_every_pair(env_id: str) -> None:
    graph = _graph(env_id)
    label = bisimulation(graph)
    assert np.array_equal(label[:, None] == label[None], ~_is_told_apart(graph))


@pytest.mark.parametrize(("env_id", "n_classes"), [(UPSTREAM, 80), (STATIC, 80), (MOVABLE, 1144)])
def test_each_bisimulation_class_is_one_pair_of_mirror_images(env_id: str, n_classes: int) -> None:
    graph = state_graph(env_id)
    label = bisimulation(graph)
    assert np.bincount(label).tolist() == [2] * n_classes
    first, second = np.argsort(label, kind="stable").reshape(-1, 2).T
    assert np.array_equal(graph.overview[first], _mirrored(graph.overview[second]))
    assert np.array_equal(graph.frames[graph.frame_id[first]], _mirrored(graph.frames[graph.frame_id[second]]))
    unlike = {
        MEMORY_FACTS[column] for column in np.flatnonzero((graph.facts[first] != graph.facts[second]).any(axis=0))
    }
    assert unlike <= {"instruction", "top_target", "carrying", "keys_visible", "balls_visible"}


def test_memory_is_needed_because_56_frames_are_seen_in_more_than_one_class() -> None:
    graph = state_graph(UPSTREAM)
    label = bisimulation(graph)
    classes = [set(label[graph.frame_id == frame]) for frame in range(len(graph.frames))]
    assert sum(len(shown_in) > 1 for shown_in in classes) == 56


def test_same_image_is_the_frame_that_a_state_shows() -> None:
    graph = state_graph(STATIC)
    label = same_image(graph)
    for first, second in np.ndindex(graph.n_states, graph.n_states):
        first_frame, second_frame = (graph.frames[graph.frame_id[state]] for state in (first, second))
        assert (label[first] == label[second]) == np.array_equal(first_frame, second_frame)


def test_states_share_optimal_actions_exactly_when_their_rows_are_equal() -> None:
    graph = state_graph(STATIC)
    label = optimal_actions(graph)
    sets = [frozenset(np.flatnonzero(row)) for row in graph.optimal]
    for first, second in np.ndindex(graph.n_states, graph.n_states):
        assert (label[first] == label[second]) == (sets[first] == sets[second])


@pytest.mark.parametrize("env_id", [MOVABLE, STATIC, UPSTREAM])
def test_bisimilar_states_share_optimal_actions_and_distance(env_id: str) -> None:
    graph = state_graph(env_id)
    label = bisimulation(graph)
    assert _refines(label, optimal_actions(graph))
    assert _refines(label, number_rows(graph.steps_to_success[:, None]))
    assert not _refines(optimal_actions(graph), label)


@pytest.mark.parametrize("env_id", [MOVABLE, UPSTREAM])
@pytest.mark.parametrize("partition", [same_image, optimal_actions, bisimulation])
def test_labels_are_numbered_by_first_appearance(env_id: str, partition: Partition) -> None:
    label = partition(state_graph(env_id))
    assert np.array_equal(label, number_rows(label[:, None]))


@pytest.mark.parametrize("partition", [same_image, optimal_actions, bisimulation])
def test_frames_are_alike_exactly_when_they_are_shown_in_the_same_set_of_classes(partition: Partition) -> None:
    graph = state_graph(UPSTREAM)
    state_label = partition(graph)
    frame_label = frame_partition(graph, state_label)
    sets = [frozenset(state_label[graph.frame_id == frame]) for frame in range(len(graph.frames))]
    for first, second in np.ndindex(len(sets), len(sets)):
        assert (frame_label[first] == frame_label[second]) == (sets[first] == sets[second])


def test_the_same_image_tells_every_frame_apart() -> None:
    graph = state_graph(MOVABLE)
    assert frame_partition(graph, same_image(graph)).tolist() == list(range(len(graph.frames)))


def _is_told_apart_in_time(graph: StateGraph) -> np.ndarray:
    """Bool[time state state]: whether some sequence of actions earns different rewards before the time limit."""
    pays = np.vstack([graph.outcome == SUCCESS, np.zeros((1, graph.n_actions), dtype=bool)])
    apart = np.zeros((graph.max_steps + 1, graph.n_states + 1, graph.n_states + 1), dtype=bool)
    for time in reversed(range(graph.max_steps)):
        apart[time] = (pays[:, None] != pays[None]).any(-1)
        for action in range(graph.n_actions):
            arrival = _arrival(graph, action)
            apart[time] |= apart[time + 1][np.ix_(arrival, arrival)]
    return apart[:-1, :-1, :-1]


@pytest.mark.parametrize("env_id", [STATIC, PUT_NEAR])
def test_with_the_step_counter_states_are_told_apart_by_what_can_still_be_earned(env_id: str) -> None:
    graph = replace(_graph(env_id), max_steps=8)
    label, apart = timed_bisimulation(graph), _is_told_apart_in_time(graph)
    for time in range(graph.max_steps):
        assert np.array_equal(label[time][:, None] != label[time][None], apart[time])


def test_what_can_earn_nothing_more_is_one_class_at_any_time() -> None:
    """Eight steps are too few for most states; which those are is found by what the best policy earns from them."""
    graph = replace(state_graph(STATIC), max_steps=8)
    label = timed_bisimulation(graph)
    for time in range(graph.max_steps):
        steps_left = graph.max_steps - time
        assert np.array_equal(label[time] == 0, graph.steps_to_success > steps_left)
    assert len(np.unique(label)) == 213


def test_states_without_a_way_to_success_are_one_class_however_they_may_fail() -> None:
    graph = _graph(PUT_NEAR)
    label, is_lost = bisimulation(graph), graph.steps_to_success == NO_WAY
    assert (len(np.unique(label)), int(is_lost.sum()), len(np.unique(label[is_lost]))) == (117, 60, 1)
    assert not np.isin(label[~is_lost], label[is_lost]).any()


@pytest.mark.parametrize("env_id", [STATIC, UPSTREAM, PUT_NEAR])
def test_partitions_with_and_without_the_step_counter_nest(env_id: str) -> None:
    """Bisimilar states stay so when both have taken equally many steps; less time leaves less to tell apart."""
    graph = replace(_graph(env_id), max_steps=30)
    timed = timed_bisimulation(graph)
    for time in range(graph.max_steps):
        assert is_refined_by(timed[time], bisimulation(graph))
    for time in range(graph.max_steps - 1):
        assert is_refined_by(timed[time + 1], timed[time])
    assert np.array_equal(number_rows(timed[0]), bisimulation(graph))


@pytest.mark.parametrize("env_id", [STATIC, MOVABLE, UPSTREAM, PUT_NEAR])
def test_bisimilar_states_share_their_optimal_actions(env_id: str) -> None:
    graph = _graph(env_id)
    assert is_refined_by(optimal_actions(graph), bisimulation(graph))
    assert is_refined_by(bisimulation(graph), np.arange(graph.n_states, dtype=np.int32))


def test_refinement_is_a_matter_of_pairs() -> None:
    fine, coarse = np.array([0, 1, 2, 2], dtype=np.int32), np.array([5, 5, 1, 1], dtype=np.int32)
    assert is_refined_by(coarse, fine)
    assert not is_refined_by(fine, coarse)
    assert is_refined_by(fine, fine)
