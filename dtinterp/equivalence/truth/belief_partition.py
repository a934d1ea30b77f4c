"""Partition of a world's frames by what an ideal observer believes when it sees them.

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
from functools import cache, partial
from itertools import chain

import numpy as np
from jaxtyping import Int32

from environments.graph.enumeration import CONTINUES, NOWHERE, number_rows
from environments.graph.partitions import bisimulation
from environments.graph.state_graph import StateGraph

Belief = tuple[int, ...]
"""States that the world may be in, in order; all of them show the same frame."""


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
