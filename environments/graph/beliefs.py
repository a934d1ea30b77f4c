"""Beliefs: the states of the world that everything in a window is consistent with.

A policy that acts on windows can do no better than one that acts on the belief and the window's newest frame, so
windows with the same belief are what an ideal observer treats as equivalent.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32, Int64

from environments.graph.enumeration import CONTINUES, number_rows
from environments.graph.evaluation import PAD
from environments.graph.state_graph import StateGraph


@dataclass(frozen=True)
class WindowsOfGraph:
    """Windows whose frames are numbered as in the graph. PAD stands in the slots before the episode, on the left."""

    frame_id: Int32[np.ndarray, "window slot"]
    action: Int32[np.ndarray, "window slot"]
    """The action before each frame; in a window's first real slot it is not looked at."""

    def __post_init__(self) -> None:
        if self.frame_id.shape[1] == 0:
            raise ValueError("The windows have no slots; each needs at least 1, for its newest frame.")
        is_pad = self.frame_id == PAD
        if is_pad[:, -1].any() or (is_pad[:, 1:] & ~is_pad[:, :-1]).any():
            raise ValueError(
                "A window has a pad to the right of a frame; pads stand on the left, and the last slot is real."
            )


def beliefs(graph: StateGraph, windows: WindowsOfGraph) -> Bool[np.ndarray, "window state"]:
    """Return which states the world may be in when each window ends.

    A window with pads begins with its episode, so in one of the graph's starts; a full window may begin in any state.
    No state is consistent with a window that cannot happen. Raises ValueError for a frame or an action that the graph
    does not have.
    """
    _require_known(graph, windows)
    n_windows, n_slots = windows.frame_id.shape
    begins_here = windows.frame_id[:, 0] != PAD
    possible = np.broadcast_to(begins_here[:, None], (n_windows, graph.n_states)).copy()
    possible &= _shows(graph, windows.frame_id[:, 0])
    is_start = np.isin(np.arange(graph.n_states), graph.start)
    for slot in range(1, n_slots):
        newly = (windows.frame_id[:, slot - 1] == PAD) & (windows.frame_id[:, slot] != PAD)
        moved = _moved(graph, possible, windows.action[:, slot], is_moving=~newly)
        moved[newly] = is_start
        possible = moved & _shows(graph, windows.frame_id[:, slot])
    return possible


def same_belief(graph: StateGraph, windows: WindowsOfGraph) -> Int32[np.ndarray, " window"]:
    """Label windows alike when exactly the same states are consistent with them."""
    return number_rows(np.packbits(beliefs(graph, windows), axis=1))


def belief_of_label(
    possible: Bool[np.ndarray, "window state"], state_label: Int32[np.ndarray, " state"]
) -> Int32[np.ndarray, " window"]:
    """Label windows alike when the same set of labels is possible: beliefs about hypotheses coarser than states.

    With each state's configuration as its label these are beliefs about the instruction and the targets alone.
    """
    is_possible = np.zeros((len(possible), state_label.max() + 1), dtype=bool)
    window, state = np.nonzero(possible)
    is_possible[window, state_label[state]] = True
    return number_rows(is_possible)


def _require_known(graph: StateGraph, windows: WindowsOfGraph) -> None:
    is_real = windows.frame_id != PAD
    _require_within(windows.frame_id[is_real], len(graph.frames), "frame")
    is_between = is_real[:, 1:] & is_real[:, :-1]
    _require_within(windows.action[:, 1:][is_between], graph.n_actions, "action")


def _require_within(numbers: Int32[np.ndarray, " slot"], n: int, what: str) -> None:
    unknown = numbers[(numbers < 0) | (numbers >= n)]
    if len(unknown):
        raise ValueError(f"A window has the {what} {unknown[0]}; the graph has {what}s 0 to {n - 1}.")


def _shows(graph: StateGraph, frame_id: Int32[np.ndarray, " window"]) -> Bool[np.ndarray, "window state"]:
    return graph.frame_id[None] == frame_id[:, None]


def _moved(
    graph: StateGraph,
    possible: Bool[np.ndarray, "window state"],
    action: Int32[np.ndarray, " window"],
    *,
    is_moving: Bool[np.ndarray, " window"],
) -> Bool[np.ndarray, "window state"]:
    """Return the states that each window's action may lead to; an episode that goes on has not ended."""
    moved = np.zeros_like(possible)
    window, state = np.nonzero(possible & is_moving[:, None])
    taken: Int64[np.ndarray, " pair"] = action[window].astype(np.int64)
    goes_on = graph.outcome[state, taken] == CONTINUES
    moved[window[goes_on], graph.next_state[state[goes_on], taken[goes_on]]] = True
    return moved
