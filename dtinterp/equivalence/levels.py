"""A report as it is shown: its classes at any epsilon, their order, and the others that one is compared with."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.equivalence.classes.certificates import Certificate, Total, WorstSwap, certificates, total
from dtinterp.equivalence.partition import Partition, classes, dendrogram
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.swaps.chosen_frames import ChosenFrames

PREFERRED = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
"""Ten steps to a decade, evenly apart in the logarithm (the series R10 of ISO 3)."""
FINEST = 1e-6
"""Bits below which a divergence is rounding."""


@dataclass(frozen=True)
class Level:
    """The classes at one height of the dendrogram."""

    epsilon: float
    """bits"""
    partition: Partition
    certificates: tuple[Certificate, ...]
    """one per class, from the swaps that the relation rests on"""
    totals: tuple[Total, ...]
    """one per class, from all that was tried inside it"""
    is_certified: bool
    """whether the classes were tried in fresh contexts, and split where one failed: only at the report's own epsilon"""


def level_at(report: EquivalenceReport, epsilon: float) -> Level:
    """Return the classes of a report at `epsilon`; raises `UserError` where it is not between 0 and 1 bit.

    Those at a smaller epsilon refine those at a larger, and the certified ones refine all at a larger. They need not be
    refined by those at a smaller: a counterexample may have parted what no swap that classes are formed from does.
    """
    if epsilon == report.config.epsilon:
        return Level(epsilon, report.partition, report.certificates, report.totals, is_certified=True)
    partition = classes(report.relation, epsilon)
    formed = certificates(report.swaps, partition)
    return Level(epsilon, partition, formed, tuple(total(each, ()) for each in formed), is_certified=False)


def epsilons(report: EquivalenceReport) -> tuple[float, ...]:
    """Return the epsilons at which it is worth looking: evenly apart in the logarithm, and the report's own.

    They begin below the first join, where every observation stands alone, and end above the last, where all are one
    class, or at 1 bit.
    """
    joins = dendrogram(report.relation)[:, 2]
    first, last = max(float(joins.min()), FINEST), max(float(joins.max()), FINEST)
    decades = range(math.floor(math.log10(first)) - 1, math.ceil(math.log10(last)) + 1)
    steps = [float(f"{step}e{decade}") for decade in decades for step in PREFERRED]
    below = max((step for step in steps if step < first), default=0.0)
    above = min((step for step in steps if step >= last), default=1.0)
    chosen = {step for step in steps if below <= step <= min(above, 1.0)}
    return tuple(sorted(chosen | {report.config.epsilon}))


def class_order(partition: Partition, chosen: ChosenFrames) -> Int64[Tensor, " class"]:
    """Return the classes by size, the largest first; of equal ones the more visited first."""
    visits = torch.zeros(partition.n_classes, dtype=torch.int64)
    visits.index_add_(0, partition.label, chosen.n_visits)
    order = np.lexsort((-visits.numpy(), -partition.sizes.numpy()))
    return torch.from_numpy(order)


def frame_order(partition: Partition, chosen: ChosenFrames) -> Int64[Tensor, " frame"]:
    """Return the places of the frames, class after class in `class_order`, most visited first inside each."""
    rank = torch.empty(partition.n_classes, dtype=torch.int64)
    rank[class_order(partition, chosen)] = torch.arange(partition.n_classes)
    order = np.lexsort((-chosen.n_visits.numpy(), rank[partition.label].numpy()))
    return torch.from_numpy(order)


def worst_swap(report: EquivalenceReport, place: int, other: int) -> WorstSwap:
    """Return the swap of two observations, in either direction, that moved the model most.

    `place` and `other` are rows of the report's chosen frames. Raises ValueError where they are the same.
    """
    if place == other:
        raise ValueError(f"observation {place} was never swapped with itself")
    swaps = report.swaps
    here, there = (place, other), (other, place)
    pair = here if float(swaps.maximum[here]) >= float(swaps.maximum[there]) else there
    return WorstSwap(
        frame=int(swaps.frame_id[pair[0]]),
        stand_in=int(swaps.frame_id[pair[1]]),
        step=int(swaps.worst_step[pair]),
        slot=int(swaps.worst_slot[pair]),
        decision=int(swaps.worst_decision[pair]),
        divergence=float(swaps.maximum[pair]),
    )


def nearest(report: EquivalenceReport, place: int) -> int:
    """Return the row of the other observation that is closest to the one in row `place`."""
    divergence = report.relation.maximum[place].clone()
    divergence[place] = float("inf")
    return int(divergence.argmin())


def nearest_beyond(report: EquivalenceReport, place: int, epsilon: float) -> int | None:
    """Return the row of the closest observation that cannot stand in for the one in row `place` within `epsilon` bits.

    None where all can. An observation of another class may well be closer: some other member keeps it out.
    """
    divergence = report.relation.maximum[place].clone()
    divergence[divergence <= epsilon] = torch.inf
    other = int(divergence.argmin())
    return other if float(divergence[other]) < torch.inf else None


def between_classes(report: EquivalenceReport, n: int) -> tuple[tuple[int, int], ...]:
    """Return the most visited observations of each two successive classes by size, `n` pairs at most.

    They are rows of the trajectories' frame table. Fewer come back where there are fewer classes.
    """
    order = class_order(report.partition, report.chosen)[: n + 1].tolist()
    first = [int(report.chosen.frame_id[report.partition.members(label)[0]]) for label in order]
    return tuple(pairwise(first))
