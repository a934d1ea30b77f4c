"""Two observations become the swap that told them apart most."""

import torch

from dtinterp.equivalence.certificates import WorstSwap
from dtinterp.equivalence.certify import EquivalenceReport
from dtinterp.equivalence.classes import Partition
from dtinterp.report.figures.equivalence import class_order


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


def borders(report: EquivalenceReport, n: int) -> tuple[tuple[int, int], ...]:
    """Return pairs of frames that stand at the borders of the `n` largest classes, none twice.

    Each is a class's most visited observation and the closest one of another class, as rows of the trajectories' frame
    table.
    """
    found = {}
    for label in class_order(report.partition, report.chosen).tolist():
        first = int(report.partition.members(label)[0])
        other = nearest_outside(report, report.partition, first)
        if other is not None:
            found.setdefault(frozenset((first, other)), (first, other))
    chosen = list(found.values())[:n]
    return tuple((int(report.chosen.frame_id[a]), int(report.chosen.frame_id[b])) for a, b in chosen)


def nearest_outside(report: EquivalenceReport, partition: Partition, place: int) -> int | None:
    """Return the row of the closest observation of another class; None where there is no other class."""
    divergence = report.relation.maximum[place].clone()
    divergence[partition.label == partition.label[place]] = torch.inf
    return int(divergence.argmin()) if partition.n_classes > 1 else None
