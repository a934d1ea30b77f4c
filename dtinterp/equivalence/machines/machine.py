"""A policy as a finite-state machine that reads actions and observations, and what it does on plays."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from dtinterp.foundation.artefacts.soundness import require_equally_many
from environments.graph.plays import ROOT, PlayTree

NO_STATE = -1
"""Where a machine is led by an input that no play showed."""


@dataclass(frozen=True, eq=False)
class SeenPlays:
    """What a player sees in the plays of a tree, each sequence of actions and frames once, in order of time."""

    parent: Int64[np.ndarray, " seen"]
    """the sequence one action before; `ROOT` at a start"""
    action: Int64[np.ndarray, " seen"]
    """the action that led here; `ROOT` at a start"""
    frame_id: Int64[np.ndarray, " seen"]
    """what was then seen"""
    time: Int64[np.ndarray, " seen"]
    """actions taken so far"""
    of_history: Int64[np.ndarray, " history"]
    """the sequence that each history of the tree shows"""

    def __len__(self) -> int:
        """Return the number of different sequences."""
        return len(self.parent)

    @property
    def horizon(self) -> int:
        """The most actions of a play."""
        return int(self.time[-1])

    @property
    def levels(self) -> list[slice]:
        """The sequences of 0, 1, 2, … actions."""
        bounds = np.searchsorted(self.time, np.arange(self.horizon + 2))
        return [slice(low, high) for low, high in pairwise(bounds)]

    def until(self, horizon: int) -> "SeenPlays":
        """Return the plays of up to so many actions, which keep their numbers."""
        n = int(np.searchsorted(self.time, horizon, side="right"))
        kept = self.of_history[self.of_history < n]
        return SeenPlays(self.parent[:n], self.action[:n], self.frame_id[:n], self.time[:n], kept)

    def first_history(self) -> Int64[np.ndarray, " seen"]:
        """Return a history of the tree that shows each sequence."""
        return np.unique(self.of_history, return_index=True)[1]


def seen_plays(tree: PlayTree, frame_id: Int64[np.ndarray, " history"]) -> SeenPlays:
    """Return what is seen in a tree that shows these frames; histories that look alike become one."""
    columns, of_history, n_before = [], np.empty(len(tree), dtype=np.int64), 0
    for time in range(int(tree.time[-1]) + 1):
        level = slice(*np.searchsorted(tree.time, [time, time + 1]))
        parent = tree.parent[level].astype(np.int64)
        before = np.where(parent == ROOT, ROOT, of_history[parent]) if time else parent
        rows = np.column_stack([before, tree.action[level], frame_id[level]])
        distinct, which = np.unique(rows, axis=0, return_inverse=True)
        of_history[level] = n_before + which.reshape(-1)
        columns.append(np.column_stack([distinct, np.full(len(distinct), time)]))
        n_before += len(distinct)
    return SeenPlays(*np.concatenate(columns).astype(np.int64).T, of_history=of_history)


@dataclass(frozen=True)
class PolicyMachine:
    """A Moore machine: each action with the observation that follows it leads to a state, and a state has an output.

    States are numbered in the order in which plays reach them. What no play showed leads nowhere.
    """

    start: Int64[Tensor, " frame"]
    """the state after a start that shows each frame; `NO_STATE` where none does"""
    output: Int64[Tensor, " state"]
    """the greedy action of each state, or its class of distributions"""
    origin: Int64[Tensor, " transition"]
    action: Int64[Tensor, " transition"]
    frame_id: Int64[Tensor, " transition"]
    target: Int64[Tensor, " transition"]
    n_actions: int

    def __post_init__(self) -> None:
        """Refuse transitions between states that are not there, or two for one input."""
        lengths = {name: len(getattr(self, name)) for name in ("origin", "action", "frame_id", "target")}
        require_equally_many(**lengths)
        for name, limit in (("origin", self.n_states), ("target", self.n_states), ("action", self.n_actions)):
            values = getattr(self, name)
            if len(values) and not 0 <= int(values.min()) <= int(values.max()) < limit:
                raise ValueError(f"a transition of the machine has {name} outside 0 to {limit - 1}")
        inputs = torch.stack([self.origin, self.action, self.frame_id])
        if inputs.unique(dim=1).shape[1] != len(self.origin):
            raise ValueError("a state of the machine has two transitions for one input")

    @property
    def n_states(self) -> int:
        """The number of states."""
        return len(self.output)

    @cached_property
    def next_state(self) -> Int64[np.ndarray, "state action frame"]:
        """Where each input leads from each state; `NO_STATE` where no play showed it."""
        table = np.full((self.n_states, self.n_actions, len(self.start)), NO_STATE, dtype=np.int64)
        table[self.origin.numpy(), self.action.numpy(), self.frame_id.numpy()] = self.target.numpy()
        return table

    def states_at(self, seen: SeenPlays, *, stays: bool = False) -> Int64[np.ndarray, " seen"]:
        """Return the state after each play; `NO_STATE` after an input that is unknown to the machine.

        With `stays`, an unknown input leaves it in its state, at a start in state 0.
        """
        return self._run(seen, stays)[0]

    def meets_unknown(self, seen: SeenPlays) -> Bool[np.ndarray, " seen"]:
        """Return whether an input of each play was unknown to a machine that stays where it is."""
        return self._run(seen, stays=True)[1]

    def _run(self, seen: SeenPlays, stays: bool) -> tuple[np.ndarray, np.ndarray]:
        state, has_met = np.full(len(seen), NO_STATE), np.zeros(len(seen), dtype=bool)
        first, *later = seen.levels
        state[first] = self.start.numpy()[seen.frame_id[first]]
        has_met[first] = state[first] == NO_STATE
        if stays:
            state[first] = np.where(has_met[first], 0, state[first])
        for level in later:
            before = state[seen.parent[level]]
            after = self.next_state[before, seen.action[level], seen.frame_id[level]]
            after = np.where(before == NO_STATE, NO_STATE, after)
            has_met[level] = has_met[seen.parent[level]] | (after == NO_STATE)
            state[level] = np.where((after == NO_STATE) & stays, before, after)
        return state, has_met

    def chances(self) -> Float64[np.ndarray, "state action"]:
        """Return the output as a policy that never hesitates. Only where outputs are actions."""
        return np.eye(self.n_actions)[self.output.numpy()]
