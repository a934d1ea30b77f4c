"""Certificates of classes: what was tried inside each, and the worst that came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Int64
from torch import Tensor

from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.swaps.interchange import Swaps


@dataclass(frozen=True)
class WorstSwap:
    """The swap that moved the model most, with all it takes to open it again.

    `dataset.windows.window` at `step` is the context; put `stand_in` at `slot` and compare the decisions at `decision`.
    """

    frame: int
    """row of the trajectories' frame table that really stood there"""
    stand_in: int
    """row that was put in its place"""
    step: int
    """flat step of the trajectories at which the window ends"""
    slot: int
    """where the swap took place, counted from 0"""
    decision: int
    """slot of the decision that moved most, counted from 0"""
    divergence: float
    """bits"""


Stage = Literal["formation", "refinement", "verification"]
"""What a swap was made for: to make the classes, to break them, or to bound how often they fail."""


@dataclass(frozen=True)
class Certificate:
    """What was tried inside one class when it was formed, and the worst that came of it."""

    label: int
    """the class"""
    size: int
    """frames in it"""
    n_swaps: int
    """ordered pairs of its frames, times the contexts of the first"""
    mean: float
    """mean divergence over swaps, in bits; 0 where the class has one frame"""
    maximum: float
    """largest divergence over these swaps and their decisions, in bits; `total` has that of all that was tried"""
    n_flips: int
    """swaps that changed the most likely action of at least one decision"""
    worst: WorstSwap | None
    """where the maximum was met; None where the class has one frame"""


@dataclass(frozen=True)
class Later:
    """What was tried inside one class after it was formed, at one stage, and the worst that came of it."""

    label: int
    """the class"""
    stage: Stage
    n_swaps: int
    maximum: float
    """bits"""
    worst: WorstSwap | None
    """where the maximum was met; None in what was written before it was kept"""


@dataclass(frozen=True)
class Total:
    """All that was ever tried inside one class, and the worst that came of it."""

    n_swaps: int
    maximum: float
    """largest divergence over all swaps and decisions, in bits: no swap that was tried moved the model more"""
    stage: Stage
    """where the maximum was met"""
    worst: WorstSwap | None
    """the swap that it was; None where the class has one frame, and in what was written before it was kept"""


def total(certificate: Certificate, later: Sequence[Later]) -> Total:
    """Return what was tried inside the class of a certificate, `later` included; of equal maxima the first counts."""
    parts = [each for each in later if each.label == certificate.label]
    first = Later(certificate.label, "formation", certificate.n_swaps, certificate.maximum, certificate.worst)
    worst = max([first, *parts], key=lambda each: each.maximum)
    return Total(sum(each.n_swaps for each in [first, *parts]), worst.maximum, worst.stage, worst.worst)


def certificates(swaps: Swaps, partition: Partition) -> tuple[Certificate, ...]:
    """Return the certificate of each class, in order of label."""
    if len(partition.label) != len(swaps.frame_id):
        raise ValueError(f"{len(partition.label)} labels for {len(swaps.frame_id)} frames")
    return tuple(_certificate(swaps, partition.members(label), label) for label in range(partition.n_classes))


def _certificate(swaps: Swaps, members: Int64[Tensor, " member"], label: int) -> Certificate:
    inside = (members[:, None], members[None, :])
    n_contexts = swaps.n_contexts[members]
    n_swaps = int(n_contexts.sum()) * (len(members) - 1)
    total = float((swaps.mean[inside].double() * n_contexts[:, None]).sum())  # a frame adds 0 for itself
    return Certificate(
        label=label,
        size=len(members),
        n_swaps=n_swaps,
        mean=total / max(n_swaps, 1),
        maximum=float(swaps.maximum[inside].max()),
        n_flips=int(swaps.n_flips[inside].sum()),
        worst=_worst(swaps, members) if len(members) > 1 else None,
    )


def _worst(swaps: Swaps, members: Int64[Tensor, " member"]) -> WorstSwap:
    divergence = swaps.maximum[members][:, members].clone().fill_diagonal_(-1)  # a frame is no stand-in for itself
    row, column = divmod(int(divergence.argmax()), len(members))
    pair = int(members[row]), int(members[column])
    return WorstSwap(
        frame=int(swaps.frame_id[pair[0]]),
        stand_in=int(swaps.frame_id[pair[1]]),
        step=int(swaps.worst_step[pair]),
        slot=int(swaps.worst_slot[pair]),
        decision=int(swaps.worst_decision[pair]),
        divergence=float(swaps.maximum[pair]),
    )
