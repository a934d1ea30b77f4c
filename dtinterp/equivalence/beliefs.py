"""A state graph becomes the partition of its frames by what an ideal observer believes when it sees them.

After a history h of frames and actions, since the episode began, the world may be in the states X(h); what matters of
them is their set of bisimulation classes, β(h). Frames are alike when the same beliefs are possible at them:

    B(f) = {β(h) : h ends in f},        f ~ g  ⇔  B(f) = B(g)

All histories of the world are followed, whatever policy would make them; those with the same X(h) are followed once.
"""

from collections import defaultdict

import numpy as np
from jaxtyping import Int32

from environments.graph.exploration import CONTINUES
from environments.graph.numbering import number_rows
from environments.graph.partitions import bisimulation
from environments.graph.state_graph import StateGraph

Belief = tuple[int, ...]
"""States that the world may be in, in order; all of them show the same frame."""


def same_beliefs(graph: StateGraph) -> Int32[np.ndarray, " frame"]:
    """Label frames alike when an ideal observer can believe the same at them."""
    label = bisimulation(graph)
    held: dict[int, set[Belief]] = defaultdict(set)
    for belief in reachable_beliefs(graph):
        held[int(graph.frame_id[belief[0]])].add(tuple(sorted(set(label[list(belief)].tolist()))))
    numbers: dict[Belief, int] = {}
    for beliefs in held.values():
        for belief in beliefs:
            numbers.setdefault(belief, len(numbers))
    is_held = np.zeros((len(graph.frames), len(numbers)), dtype=bool)
    for frame, beliefs in held.items():
        is_held[frame, [numbers[belief] for belief in beliefs]] = True
    return number_rows(is_held)


def reachable_beliefs(graph: StateGraph) -> list[Belief]:
    """Return every set of states that some history leaves possible, in order of discovery."""
    found = dict.fromkeys(_by_frame(graph, np.unique(graph.start)))
    frontier = list(found)
    while frontier:
        reached = [after for belief in frontier for after in _successors(graph, belief) if after not in found]
        frontier = list(dict.fromkeys(reached))
        found |= dict.fromkeys(frontier)
    return list(found)


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
