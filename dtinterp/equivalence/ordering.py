"""In which order classes and observations are shown, and which others an observation is compared with."""

from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.equivalence.classes.certificates import WorstSwap
from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.swaps.chosen_frames import ChosenFrames


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
