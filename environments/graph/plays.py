"""Every play of a world up to a horizon, as a tree: a history is another one, an action, and what came of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int8, Int32

from environments.graph.enumeration import CONTINUES
from environments.graph.state_graph import StateGraph
from environments.registration import WorldError

MOVES = (0, 1, 2)
"""Left, right and forward: the actions with which an agent looks around."""

MOST_HISTORIES = 30_000_000
"""Histories above which a tree is refused, unless more are allowed; each takes 10 bytes here."""

ROOT = -1
"""The parent and the action of a history that is a start."""


@dataclass(frozen=True, eq=False)
class PlayTree:
    """The histories at which a decision is still to be made, in order of time, and by parent and action within one.

    The arrays are read-only. Different histories may look alike, where what tells their states apart is not in view.
    """

    parent: Int32[np.ndarray, " history"]
    """the history one action before; `ROOT` at a start"""
    action: Int8[np.ndarray, " history"]
    """the action that led here; `ROOT` at a start"""
    state: Int32[np.ndarray, " history"]
    """the state of the graph that is reached"""
    time: Int8[np.ndarray, " history"]
    """actions taken so far"""

    def __post_init__(self) -> None:
        """Refuse histories that are not in order of time."""
        if (np.diff(self.time) < 0).any() or (self.parent >= np.arange(len(self.parent))).any():
            raise ValueError("the histories of a tree are not in order of time, parents before children")
        for array in (self.parent, self.action, self.state, self.time):
            array.flags.writeable = False

    def __len__(self) -> int:
        """Return the number of histories."""
        return len(self.parent)

    @property
    def is_leaf(self) -> Bool[np.ndarray, " history"]:
        """Whether no history of the tree goes on from each one."""
        is_leaf = np.ones(len(self), dtype=bool)
        is_leaf[self.parent[self.parent != ROOT]] = False
        return is_leaf

    def path(self, history: Int32[np.ndarray, " chosen"], n_back: int) -> Int32[np.ndarray, "chosen step"]:
        """Return the histories up to `n_back` actions before each one and itself, the oldest first; `ROOT` before."""
        steps = [history]
        for _ in range(n_back):
            steps.append(np.where(steps[-1] == ROOT, ROOT, self.parent[steps[-1]]))
        return np.stack(steps[::-1], axis=1)


def play_tree(
    graph: StateGraph, *, horizon: int, actions: Sequence[int], most_histories: int = MOST_HISTORIES
) -> PlayTree:
    """Return every start and every sequence of up to `horizon` of these actions, as long as the world goes on.

    Raises `WorldError` where there are more than `most_histories`, before any of them is made, or none that could be.
    """
    _refuse_more(graph, horizon, actions, most_histories)
    chosen = np.array(sorted(set(actions)))
    parent, action = [np.full(len(graph.start), ROOT, dtype=np.int32)], [np.full(len(graph.start), ROOT, dtype=np.int8)]
    state, first = [graph.start], 0
    for _ in range(min(horizon, graph.max_steps - 1)):
        origin, taken = np.nonzero(graph.outcome[np.ix_(state[-1], chosen)] == CONTINUES)
        parent.append((first + origin).astype(np.int32))
        action.append(chosen[taken].astype(np.int8))
        first += len(state[-1])
        state.append(graph.next_state[state[-1][origin], action[-1]])
    time = np.repeat(np.arange(len(state), dtype=np.int8), [len(each) for each in state])
    return PlayTree(np.concatenate(parent), np.concatenate(action), np.concatenate(state), time)


def count_histories(graph: StateGraph, actions: Sequence[int]) -> Iterator[int]:
    """Yield how many histories there are after 0, 1, 2, … of these actions, without making any; exact up to 2^53."""
    state, action = np.nonzero(graph.outcome == CONTINUES)
    is_taken = np.isin(action, actions)
    state, after = state[is_taken], graph.next_state[state[is_taken], action[is_taken]]
    n_histories = np.bincount(graph.start, minlength=graph.n_states).astype(np.float64)  # state
    for _ in range(graph.max_steps):
        yield int(n_histories.sum())
        n_histories = np.bincount(after, weights=n_histories[state], minlength=graph.n_states)


def _refuse_more(graph: StateGraph, horizon: int, actions: Sequence[int], most_histories: int) -> None:
    if not 0 <= horizon <= np.iinfo(np.int8).max:
        raise WorldError(f"horizon is {horizon}, expected 0 to {np.iinfo(np.int8).max} actions: give another one.")
    if not actions or not set(actions) <= set(range(graph.n_actions)):
        raise WorldError(
            f"actions are {list(actions)}, expected some of 0 to {graph.n_actions - 1}: name those that plays may take."
        )
    total = 0
    for time, n_histories in zip(range(horizon + 1), count_histories(graph, actions), strict=False):
        total += n_histories
        if total > most_histories:
            works = "none fits" if time == 0 else f"the largest that fits is {time - 1}"
            raise WorldError(
                f"plays of up to {time} of {len(set(actions))} actions in {graph.env_id} are {total:,} histories, more "
                f"than {most_histories:,}, and horizon is {horizon}: {works}; give a shorter one, or fewer actions."
            )
