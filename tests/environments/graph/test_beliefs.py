"""Beliefs: what a window says about the state of the world."""

import numpy as np
import pytest

from environments.graph.beliefs import WindowsOfGraph, beliefs
from environments.graph.enumeration import CONTINUES, number_rows
from environments.graph.evaluation import PAD
from environments.graph.partitions import is_refined_by
from environments.graph.state_graph import StateGraph, state_graph

STATIC = "MiniGrid-MemoryS7FixedStartStatic-v0"


def _walks(graph: StateGraph, n_walks: int, n_slots: int, n_steps: int) -> tuple[WindowsOfGraph, np.ndarray]:
    """Random walks seen through a window, and the state that each ends in."""
    rng = np.random.default_rng(0)
    frame_id = np.full((n_walks, n_slots), PAD, dtype=np.int32)
    action = np.full_like(frame_id, PAD)
    ends = np.empty(n_walks, dtype=np.int32)
    for walk in range(n_walks):
        state = rng.choice(graph.start)
        frame_id[walk, -1] = graph.frame_id[state]
        for _ in range(rng.integers(0, n_steps + 1)):
            taken = rng.choice([0, 1, 2, 2, 2])
            if graph.outcome[state, taken] != CONTINUES:
                break
            state = graph.next_state[state, taken]
            frame_id[walk] = [*frame_id[walk, 1:], graph.frame_id[state]]
            action[walk] = [*action[walk, 1:], taken]
        ends[walk] = state
    return WindowsOfGraph(frame_id, action), ends


def test_the_true_state_is_always_believed_possible() -> None:
    graph = state_graph(STATIC)
    windows, ends = _walks(graph, 200, n_slots=4, n_steps=12)
    assert beliefs(graph, windows)[np.arange(200), ends].all()


def test_beliefs_are_those_of_all_walks_tried_one_by_one() -> None:
    graph = state_graph(STATIC)
    windows, _ = _walks(graph, 30, n_slots=3, n_steps=6)
    found = beliefs(graph, windows)
    for row in range(30):
        expected = set()
        real = np.flatnonzero(windows.frame_id[row] != PAD)
        begins = graph.start if len(real) < 3 else range(graph.n_states)
        for begin in begins:
            state = begin
            fits = graph.frame_id[state] == windows.frame_id[row, real[0]]
            for slot in real[1:]:
                taken = windows.action[row, slot]
                fits = fits and graph.outcome[state, taken] == CONTINUES
                state = graph.next_state[state, taken] if fits else state
                fits = fits and graph.frame_id[state] == windows.frame_id[row, slot]
            if fits:
                expected.add(int(state))
        assert set(np.flatnonzero(found[row]).tolist()) == expected


def test_the_start_alone_leaves_one_state_and_the_fork_alone_leaves_two() -> None:
    graph = state_graph(STATIC)
    start = int(graph.start[0])
    fork = start
    for _ in range(4):
        fork = int(graph.next_state[fork, 2])
    frame_id = np.array([[PAD, graph.frame_id[start]], [graph.frame_id[fork]] * 2], dtype=np.int32)
    action = np.array([[PAD, PAD], [PAD, 6]], dtype=np.int32)
    assert beliefs(graph, WindowsOfGraph(frame_id, action)).sum(1).tolist() == [1, 2]


def test_partitions_of_windows_nest() -> None:
    """Equal windows give equal beliefs over states, equal beliefs show the same frame."""
    graph = state_graph(STATIC)
    windows, _ = _walks(graph, 300, n_slots=4, n_steps=10)
    identical = number_rows(np.column_stack([windows.frame_id, windows.action]))
    belief = number_rows(np.packbits(beliefs(graph, windows), axis=1))
    assert is_refined_by(belief, identical)
    assert is_refined_by(number_rows(windows.frame_id[:, -1]), belief)
    assert len(np.unique(belief)) < len(np.unique(identical))


def test_a_window_that_cannot_happen_leaves_nothing() -> None:
    graph = state_graph(STATIC)
    start = graph.frame_id[graph.start[0]]
    impossible = WindowsOfGraph(np.array([[start, start]], dtype=np.int32), np.array([[PAD, 2]], dtype=np.int32))
    assert not beliefs(graph, impossible).any()


def test_misplaced_pads_are_refused() -> None:
    for frames in ([[0, PAD]], [[0, PAD, 1]]):
        frame_id = np.array(frames, dtype=np.int32)
        with pytest.raises(ValueError, match=r"pads stand on the left, and the last slot is real"):
            WindowsOfGraph(frame_id, np.zeros_like(frame_id))


@pytest.mark.parametrize(
    ("frames", "actions", "complaint"),
    [
        ([[0, 0]], [[0, 9]], r"A window has the action 9; the graph has actions 0 to 6"),
        ([[0, 0]], [[0, PAD]], r"A window has the action -1; the graph has actions 0 to 6"),
        ([[PAD, 0, 0]], [[PAD, PAD, 7]], r"A window has the action 7"),
        ([[0, 99999]], [[0, 2]], r"A window has the frame 99999; the graph has frames 0 to 95"),
    ],
)
def test_what_the_graph_does_not_have_is_named(frames: list, actions: list, complaint: str) -> None:
    windows = WindowsOfGraph(np.array(frames, dtype=np.int32), np.array(actions, dtype=np.int32))
    with pytest.raises(ValueError, match=complaint):
        beliefs(state_graph(STATIC), windows)


def test_the_actions_before_a_windows_first_frame_are_not_looked_at() -> None:
    graph = state_graph(STATIC)
    start = int(graph.frame_id[graph.start[0]])
    for before in (PAD, 99):
        window = WindowsOfGraph(np.array([[PAD, start]], dtype=np.int32), np.array([[PAD, before]], dtype=np.int32))
        assert beliefs(graph, window).sum() == 1


def test_windows_without_slots_are_refused() -> None:
    with pytest.raises(ValueError, match=r"The windows have no slots; each needs at least 1"):
        WindowsOfGraph(np.zeros((3, 0), dtype=np.int32), np.zeros((3, 0), dtype=np.int32))
