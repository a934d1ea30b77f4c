"""Beliefs of an ideal observer: which states the world may be in after a window, and at each frame after any history.

A policy that acts on windows can do no better than one that acts on the belief and the window's newest frame, so
windows with the same belief are what an ideal observer treats as equivalent.

After a history h of frames and actions, since the episode began, the world may be in the states X(h); what matters of
them is their set of bisimulation classes, β(h). Frames are alike when the same beliefs are possible at them:

    B(f) = {β(h) : h ends in f},        f ~ g  ⇔  B(f) = B(g)

All histories of the world are followed, whatever policy would make them; those with the same X(h) are followed once.

A model sees the last n frames and the actions between them, no more. What an ideal observer believes of such a window w
are the states X(w) in which it may end: a window that is not yet full begins with its episode, a full one in any state
that can be reached early enough for n − 1 more steps within the time limit. Neither is told the time.

    B_n(f) = {β(w) : w ends in f},      f ~ g  ⇔  B_n(f) = B_n(g)

The windows are not listed, 7ⁿ⁻¹ to a state; the beliefs after k + 1 frames follow from those after k, each once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain

import numpy as np
from jaxtyping import Bool, Int, Int32, Int64

from environments.graph.enumeration import CONTINUES, NOWHERE, number_rows
from environments.graph.evaluation import PAD
from environments.graph.partitions import bisimulation
from environments.graph.state_graph import StateGraph

Belief = tuple[int, ...]
"""States that the world may be in, in order; all of them show the same frame."""


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
        moved = moved_on(graph, possible & ~newly[:, None], windows.action[:, slot])
        moved[newly] = is_start
        possible = moved & _shows(graph, windows.frame_id[:, slot])
    return possible


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


def moved_on(
    graph: StateGraph,
    possible: Bool[np.ndarray, "window state"],
    action: Int[np.ndarray, " window"],
) -> Bool[np.ndarray, "window state"]:
    """Return the states that each window's action may lead to; an episode that goes on has not ended."""
    moved = np.zeros_like(possible)
    window, state = np.nonzero(possible)
    taken: Int64[np.ndarray, " pair"] = action[window].astype(np.int64)
    goes_on = graph.outcome[state, taken] == CONTINUES
    moved[window[goes_on], graph.next_state[state[goes_on], taken[goes_on]]] = True
    return moved


def same_beliefs(graph: StateGraph) -> Int32[np.ndarray, " frame"]:
    """Label frames alike when an ideal observer of all that was shown can believe the same at them."""
    return _same_possible(graph, reachable_beliefs(graph))


def same_window_beliefs(graph: StateGraph, n_slots: int) -> Int32[np.ndarray, " frame"]:
    """Label frames alike when an ideal observer of windows of `n_slots` frames can believe the same at them.

    With one slot that is to be shown by states of the same bisimulation classes; with as many as an episode has steps
    it is `same_beliefs`. Raises ValueError for a window without slots.
    """
    return _same_possible(graph, window_beliefs(graph, n_slots))


def _same_possible(graph: StateGraph, possible: Sequence[Belief]) -> Int32[np.ndarray, " frame"]:
    label = bisimulation(graph)
    held: dict[int, set[Belief]] = defaultdict(set)
    for belief in possible:
        held[int(graph.frame_id[belief[0]])].add(tuple(sorted(set(label[list(belief)].tolist()))))
    numbers: dict[Belief, int] = {}
    for beliefs in held.values():
        for belief in beliefs:
            numbers.setdefault(belief, len(numbers))
    is_held = np.zeros((len(graph.frames), len(numbers)), dtype=bool)
    for frame, beliefs in held.items():
        is_held[frame, [numbers[belief] for belief in beliefs]] = True
    return number_rows(is_held)


def window_beliefs(graph: StateGraph, n_slots: int) -> list[Belief]:
    """Return every set of states that some window of `n_slots` frames leaves possible.

    Raises ValueError for a window without slots.
    """
    if n_slots < 1:
        raise ValueError(f"the windows have {n_slots} slots, expected at least 1, for the newest frame")
    begun = _by_frame(graph, np.unique(graph.start))
    full = _by_frame(graph, _states_within(graph, graph.max_steps - n_slots))
    after = cache(partial(_successors, graph))
    found: dict[Belief, None] = {}
    for _ in range(n_slots - 1):
        found |= dict.fromkeys(begun)
        begun, full = (list(dict.fromkeys(chain.from_iterable(map(after, level)))) for level in (begun, full))
    return list(found | dict.fromkeys(full))


def reachable_beliefs(graph: StateGraph) -> list[Belief]:
    """Return every set of states that some history leaves possible, in order of discovery."""
    found = dict.fromkeys(_by_frame(graph, np.unique(graph.start)))
    frontier = list(found)
    while frontier:
        reached = [after for belief in frontier for after in _successors(graph, belief) if after not in found]
        frontier = list(dict.fromkeys(reached))
        found |= dict.fromkeys(frontier)
    return list(found)


def _states_within(graph: StateGraph, n_steps: int) -> Int32[np.ndarray, " state"]:
    """Return the states that can be reached in so many steps or fewer; none for a negative number."""
    if n_steps < 0:
        return np.zeros(0, dtype=np.int32)
    reached = np.unique(graph.start)
    for _ in range(n_steps):
        after = graph.next_state[reached]
        wider = np.union1d(reached, after[after != NOWHERE])
        if len(wider) == len(reached):
            break
        reached = wider
    return reached


def _successors(graph: StateGraph, belief: Belief) -> list[Belief]:
    """Return what may be believed after each action, once the next frame is seen."""
    states = np.array(belief)
    found = []
    for action in range(graph.n_actions):
        goes_on = graph.outcome[states, action] == CONTINUES
        found += _by_frame(graph, np.unique(graph.next_state[states[goes_on], action]))
    return found


def _by_frame(graph: StateGraph, states: Int32[np.ndarray, " state"]) -> list[Belief]:
    frames = graph.frame_id[states]
    return [tuple(states[frames == frame].tolist()) for frame in np.unique(frames)]
