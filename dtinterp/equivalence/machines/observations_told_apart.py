"""Observations that a policy's machine never tells apart: every state sends both to the same state.

A pair that no state and action ever compares is undecided, not equivalent: no play shows what the policy would do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int8, Int64
from torch import Tensor

from dtinterp.equivalence.machines.machine import NO_STATE, PolicyMachine
from dtinterp.equivalence.partition import Partition, partition_of

SAME = -1
"""Actions until two states that are one differ: they never do."""


class Verdict(IntEnum):
    """What a machine says of two observations."""

    UNDECIDED = 0
    """no state and action has both after it"""
    EQUIVALENT = 1
    """after every state and action that has both after it, they lead to the same state"""
    TOLD_APART = 2
    """after some state and action, they lead to different states"""


@dataclass(frozen=True)
class ObservationVerdicts:
    """What machines of the same plays say of each two observations."""

    frame_id: Int64[Tensor, " frame"]
    """the observations that plays show, by the graph's numbers"""
    verdict: Int8[Tensor, "machine frame frame"]
    """a `Verdict` for each two of them, by each machine; the first machine is the one that counts"""

    @property
    def n_frames(self) -> int:
        """The number of observations."""
        return len(self.frame_id)

    @property
    def n_pairs(self) -> int:
        """The number of pairs of two observations."""
        return self.n_frames * (self.n_frames - 1) // 2

    def count(self, verdict: Verdict) -> int:
        """Return the number of pairs with a verdict."""
        return int((self._pairs[0] == verdict).sum())

    @property
    def n_compared(self) -> int:
        """The number of pairs that some state and action compares."""
        return self.n_pairs - self.count(Verdict.UNDECIDED)

    @property
    def n_always_apart(self) -> int:
        """The number of pairs that every one of the machines tells apart."""
        return int((self._pairs == Verdict.TOLD_APART).all(0).sum())

    @property
    def n_sometimes_apart(self) -> int:
        """The number of pairs that some of the machines tell apart, and others do not."""
        is_apart = self._pairs == Verdict.TOLD_APART
        return int((is_apart.any(0) & ~is_apart.all(0)).sum())

    def is_apart(self) -> Bool[np.ndarray, "frame frame"]:
        """Return which pairs the first machine tells apart."""
        return self.verdict[0].numpy() == Verdict.TOLD_APART

    @cached_property
    def compatible(self) -> Partition:
        """Classes in which no two observations are told apart, undecided ones among them, found greedily.

        Each frame joins the first class whose members it is not told apart from: being undecided is no equivalence, so
        other classes are possible, and their number is not a count of meanings.
        """
        apart = self.is_apart()
        members: list[list[int]] = []
        label = np.empty(len(apart), dtype=np.int64)
        for frame in range(len(apart)):
            fitting = (number for number, joined in enumerate(members) if not apart[frame, joined].any())
            label[frame] = next(fitting, len(members))
            if label[frame] == len(members):
                members.append([])
            members[label[frame]].append(frame)
        return partition_of(torch.from_numpy(label), "never told apart by the machine")

    @cached_property
    def _pairs(self) -> Int8[np.ndarray, "machine pair"]:
        first, second = np.triu_indices(self.n_frames, k=1)
        return self.verdict.numpy()[:, first, second]


def observation_verdicts(machines: Sequence[PolicyMachine], shown: Int64[Tensor, " frame"]) -> ObservationVerdicts:
    """Return what each machine says of each two of the frames, starts included; one is equivalent to itself."""
    return ObservationVerdicts(shown, torch.stack([_verdicts(machine, shown) for machine in machines]))


def _verdicts(machine: PolicyMachine, shown: Int64[Tensor, " frame"]) -> Int8[Tensor, "frame frame"]:
    table = machine.next_state.reshape(-1, len(machine.start))
    rows = np.concatenate([machine.start.numpy()[None], table])[:, shown.numpy()]  # input frame
    n_frames = rows.shape[1]
    compared, apart = np.zeros((n_frames, n_frames), dtype=bool), np.zeros((n_frames, n_frames), dtype=bool)
    for row in rows[(rows != NO_STATE).sum(1) > 1]:
        known = np.flatnonzero(row != NO_STATE)
        compared[np.ix_(known, known)] = True
        apart[np.ix_(known, known)] |= row[known, None] != row[None, known]
    found = np.where(apart, Verdict.TOLD_APART, np.where(compared, Verdict.EQUIVALENT, Verdict.UNDECIDED))
    np.fill_diagonal(found, Verdict.EQUIVALENT)
    return torch.from_numpy(found.astype(np.int8))


def steps_until_apart(machine: PolicyMachine) -> Int64[np.ndarray, "state state"]:
    """Return how many further inputs it takes, at least, until two states have different outputs; 0 where they differ.

    `SAME` where no inputs that both know lead to different outputs.
    """
    output, table = machine.output.numpy(), machine.next_state.reshape(machine.n_states, -1)
    steps = np.where(output[:, None] != output[None, :], 0, SAME)
    for turn in range(1, machine.n_states**2):
        before = steps.copy()
        for column in table.T:
            known = np.flatnonzero(column != NO_STATE)
            if len(known) > 1:
                pairs = np.ix_(known, known)
                led = before[np.ix_(column[known], column[known])]
                steps[pairs] = np.where((steps[pairs] == SAME) & (led != SAME), turn, steps[pairs])
        if np.array_equal(before, steps):
            break
    return steps
