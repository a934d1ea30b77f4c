"""Pairs of frames on which a model's classes and the world's differ, ranked by what the difference costs.

A confusion is a pair that the model joins though what is right at one is wrong at the other: something is at stake
between them (`stakes`), and the world calls them the same neither by bisimulation nor by the sets of actions that are
right at them. A distraction is a pair that the model keeps apart though nothing that is ever paid tells them apart.

What the model itself loses by a pair is exact: its expected return, greedy, from the starts, when it is shown b
wherever the world shows a, or a wherever it shows b, against its return intact. Every pair is priced so, before any is
left out of the ranking.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from dtinterp.equivalence.behaviour.quotient import Judge
from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.truth.stakes import DIGITS, Stakes


@dataclass(frozen=True)
class Contrast:
    """Two frames that the model and the world see differently."""

    frame: int
    """row of the trajectories' frame table"""
    other: int
    divergence: float
    """bits, the largest over contexts"""
    stake: float
    """return lost by acting once at either as is right at the other, the larger of both directions, less what is lost
    by acting at it as is right at itself"""
    lost: float
    """return that the model loses when it is shown one for the other, the larger of both directions"""


@dataclass(frozen=True)
class StakeSummary:
    """In which histories stakes were computed, and what was taken off."""

    longest: int
    """random actions from a start, at most"""
    most: float
    """at stake in any confusion, return"""
    n_possible: int
    """pairs that would be confusions if the model joined them: what joining without regard to them would meet"""
    n_own: int
    """frames whose histories differ in what is right, so that they have a stake against themselves; it was taken off"""
    most_own: float
    """the largest of these, return"""
    n_unmet: int
    """frames in which no such play ends: nothing is known to be at stake in their pairs"""


@dataclass(frozen=True)
class Contrasts:
    """Where a model's classes and a world's partition differ."""

    n_joined: int
    """pairs that the model joins"""
    n_confusions: int
    """of these, with something at stake"""
    confusions: tuple[Contrast, ...]
    """the first of them: by what the model loses, then by what is at stake"""
    n_alike: int
    """pairs that the world joins"""
    n_distractions: int
    """of these, kept apart by the model"""
    distractions: tuple[Contrast, ...]
    """the first of them: by what the model loses, then by how far it tells them apart"""
    n_costly_confusions: int | None = None
    """confusions by which the model loses anything; None where only those with most at stake were priced, as once"""
    n_costly_distractions: int | None = None
    """distractions by which it does; None where only those that it tells apart most were priced"""
    stakes: StakeSummary | None = None
    """None in a comparison of before, whose confusions are not to be relied on"""


def contrasts(
    relation: Relation, partition: Partition, world: Partition, *, stakes: Stakes, judge: Judge, n_shown: int
) -> Contrasts:
    """Return the pairs on which a model's classes and the partition `world` of the same frames differ.

    All are priced, with two exact expectations for each; then the first `n_shown` of either kind are kept. Raises
    ValueError where they are not about equally many frames.
    """
    if not len(partition.label) == len(world.label) == len(stakes.own):
        raise ValueError(f"{len(partition.label)}, {len(world.label)} and {len(stakes.own)} frames: expected the same")
    between = torch.from_numpy(stakes.between)
    above = torch.ones_like(relation.maximum, dtype=torch.bool).triu(1)
    joined, alike = (_same(each.label) & above for each in (partition, world))
    possible = above & (between > 0) & ~alike & ~_same(torch.from_numpy(stakes.right))
    confused, distracted = ((kind.nonzero().tolist()) for kind in (joined & possible, alike & ~joined))
    itself = torch.arange(len(partition.label))
    one_for_the_other = [
        itself.index_fill(0, torch.tensor(a), b) for pair in (*confused, *distracted) for a, b in (pair, pair[::-1])
    ]
    intact, *earned = [each.expected_return for each in judge([itself, *one_for_the_other])]
    in_order = iter(earned)

    def priced(pairs: Sequence[Sequence[int]]) -> list[Contrast]:
        return [_contrast(relation, pair, between, intact - min(next(in_order), next(in_order))) for pair in pairs]

    confusions, distractions = priced(confused), priced(distracted)
    return Contrasts(
        n_joined=int(joined.sum()),
        n_confusions=len(confusions),
        confusions=tuple(sorted(confusions, key=lambda each: (-each.lost, -each.stake))[:n_shown]),
        n_alike=int(alike.sum()),
        n_distractions=len(distractions),
        distractions=tuple(sorted(distractions, key=lambda each: (-each.lost, -each.divergence))[:n_shown]),
        n_costly_confusions=_n_costly(confusions),
        n_costly_distractions=_n_costly(distractions),
        stakes=StakeSummary(
            longest=stakes.longest,
            most=max((each.stake for each in confusions), default=0.0),
            n_possible=int(possible.sum()),
            n_own=int((stakes.own > 0).sum()),
            most_own=float(stakes.own.max()),
            n_unmet=int((~stakes.is_met).sum()),
        ),
    )


def _same(label: Int[Tensor, " frame"]) -> Bool[Tensor, "frame frame"]:
    return label[:, None] == label


def _n_costly(priced: Sequence[Contrast]) -> int:
    return sum(each.lost > 0 for each in priced)


def _contrast(relation: Relation, pair: Sequence[int], between: Tensor, lost: float) -> Contrast:
    a, b = pair
    return Contrast(
        frame=int(relation.frame_id[a]),
        other=int(relation.frame_id[b]),
        divergence=float(relation.maximum[a, b]),
        stake=float(between[a, b]),
        lost=round(max(lost, 0.0), DIGITS),
    )
