"""Two observations become the swap that told them apart most."""

from itertools import pairwise

import torch

from dtinterp.equivalence.classes.certificates import WorstSwap
from dtinterp.equivalence.report import EquivalenceReport
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
