"""A machine's verdicts on observations beside certified classes: which pairs differ, and what tells them apart.

The two say different things. Classes are of action distributions within ε, after single swaps in the contexts of one
population; a machine is of greedy actions after all plays to a horizon, and of what they lead to later.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.demonstrations.frame_table import ABSENT, FrameTable
from dtinterp.equivalence.machines.machine import NO_STATE, PolicyMachine
from dtinterp.equivalence.machines.observations_told_apart import SAME, ObservationVerdicts, Verdict, steps_until_apart
from dtinterp.equivalence.report import EquivalenceReport

NAMES = ("undecided", "equivalent", "told apart")
"""Verdicts in words, in their order."""


@dataclass(frozen=True)
class DisputedPair:
    """Two observations that classes join and the machine tells apart."""

    first: int
    """by the state graph's numbers, as the next"""
    second: int
    n_compared: int
    """states and actions that have both after them"""
    n_apart: int
    """of these, how many send them to different states"""
    n_inputs: int
    """further inputs until the actions differ, at least; 0 where the very next action does"""
    n_machines: int
    """of the machines that were learned, how many tell them apart"""
    divergence: float
    """bits: the largest divergence that any swap of the two came to when classes were formed"""


@dataclass(frozen=True)
class CertificateBeside:
    """The pairs of the observations that both speak of."""

    source: str
    """the artefact that the classes are from"""
    n_frames: int
    joined: tuple[int, int, int]
    """pairs in one class that the machine leaves undecided, calls equivalent, and tells apart"""
    separate: tuple[int, int, int]
    """the same for pairs in two classes"""
    n_close: int
    """of the pairs in two classes that the machine calls equivalent, those that no swap moved beyond ε: linkage alone
    keeps them apart"""
    disputed: tuple[DisputedPair, ...]
    """the joined pairs that are told apart, those that differ at once first"""


def certificate_beside(
    machine: PolicyMachine, verdicts: ObservationVerdicts, table: FrameTable, report: EquivalenceReport, source: str
) -> CertificateBeside:
    """Compare a machine with certified classes on the observations that both speak of; `table` is the graph's."""
    row = {int(frame): index for index, frame in enumerate(verdicts.frame_id)}
    there = table.find(report.frames)
    kept = [place for place, frame in enumerate(there.tolist()) if frame != ABSENT and frame in row]
    label, bits = report.partition.label.numpy()[kept], report.relation.maximum.numpy()[np.ix_(kept, kept)]
    own = np.array([row[int(there[place])] for place in kept], dtype=np.int64)
    verdict = verdicts.verdict.numpy()[:, own[:, None], own[None, :]]
    first, second = np.triu_indices(len(kept), k=1)
    together, said = label[first] == label[second], verdict[0, first, second]
    is_equal = ~together & (said == Verdict.EQUIVALENT)
    return CertificateBeside(
        source,
        len(kept),
        joined=_counts(said[together]),
        separate=_counts(said[~together]),
        n_close=int((bits[first, second][is_equal] <= report.config.epsilon).sum()),
        disputed=tuple(
            sorted(
                _disputed(machine, verdicts.frame_id[torch.from_numpy(own)], verdict, label, bits),
                key=lambda pair: (pair.n_inputs, -pair.n_apart, pair.first, pair.second),
            )
        ),
    )


def _counts(said: np.ndarray) -> tuple[int, int, int]:
    undecided, equivalent, apart = np.bincount(said, minlength=3).tolist()
    return undecided, equivalent, apart


def _disputed(
    machine: PolicyMachine, frame_id: Int64[Tensor, " frame"], verdict: np.ndarray, label: np.ndarray, bits: np.ndarray
) -> Iterator[DisputedPair]:
    steps = steps_until_apart(machine)
    rows = np.concatenate([machine.start.numpy()[None], machine.next_state.reshape(-1, len(machine.start))])
    is_disputed = (label[:, None] == label[None, :]) & (verdict[0] == Verdict.TOLD_APART)
    for one, other in np.argwhere(np.triu(is_disputed, k=1)):
        first, second = int(frame_id[one]), int(frame_id[other])
        led = rows[:, [first, second]]
        led = led[(led != NO_STATE).all(1)]
        apart = led[led[:, 0] != led[:, 1]]
        until = steps[apart[:, 0], apart[:, 1]]
        yield DisputedPair(
            first,
            second,
            n_compared=len(led),
            n_apart=len(apart),
            n_inputs=int(until[until != SAME].min()),
            n_machines=int((verdict[:, one, other] == Verdict.TOLD_APART).sum()),
            divergence=float(bits[one, other]),
        )
