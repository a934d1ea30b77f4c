"""Pairs of frames on which a model's classes and the world's differ, ranked by what the difference costs.

A confusion is a pair that the model joins though what is right at one is wrong at the other; a distraction is a pair
that the model keeps apart though nothing that is ever paid tells them apart. With d(x) the fewest steps from state x to
success and T the time limit, v(x) = 1 − 0.9 d(x)/T (0 where there is no way), Q(x, u) what is left after action u, S(a)
the states that show frame a, and U(b) the actions that are optimal in some state of S(b):

    stake a→b = mean over x in S(a) of ( v(x) − mean over u in U(b) of Q(x, u) )

is the return lost by acting once at a as is right at b. What the model itself loses is exact: its expected return,
greedy, when it is shown b wherever the world shows a, or a wherever it shows b, against its return intact. Every
pair is priced so, before any is left out of the ranking.

**The stake is not what its name says.** Where one picture hides several states with different optimal actions, U(a) is
right in some of S(a) and wrong in others, so that a has a stake even against itself: stake a→a > 0. An independent
check found that of 17 of 96 observations, and 0.169 at stake between two that the world calls the same. Less the stakes
of a and b with themselves, 2 of memory-dt's 31 confusions are left. So confusions are counted and ranked on no page
until they are computed so. Distractions do not rest on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from dtinterp.equivalence.behaviour.quotient import Judge
from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.relation import Relation
from environments.graph.enumeration import CONTINUES, NOWHERE, SUCCESS
from environments.graph.state_graph import StateGraph

NO_CONFUSIONS = (
    "Confusions, pairs that are joined though what is right at one is wrong at the other, are not to be relied on: a "
    "stake charges an observation even against itself, where one picture hides several states."
)
"""What stands wherever confusions would be ranked."""

DIGITS = 9
"""Decimals of a loss; what is beyond is rounding, and no rank."""


@dataclass(frozen=True)
class Contrast:
    """Two frames that the model and the world see differently."""

    frame: int
    """row of the trajectories' frame table"""
    other: int
    divergence: float
    """bits, the largest over contexts"""
    stake: float
    """return lost by acting once at either as is right at the other, the larger of both; not 0 of a frame and itself"""
    lost: float
    """return that the model loses when it is shown one for the other, the larger of both directions"""


@dataclass(frozen=True)
class Contrasts:
    """Where a model's classes and a world's partition differ."""

    n_joined: int
    """pairs that the model joins"""
    n_confusions: int
    """of these, with something at stake: too many, see above"""
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


def contrasts(
    relation: Relation,
    partition: Partition,
    world: Partition,
    *,
    stakes: Float64[np.ndarray, "frame frame"],
    judge: Judge,
    n_shown: int,
) -> Contrasts:
    """Return the pairs on which a model's classes and the partition `world` of the same frames differ.

    All are priced, with two exact expectations for each; then the first `n_shown` of either kind are kept. Raises
    ValueError where they are not about equally many frames.
    """
    if not len(partition.label) == len(world.label) == len(stakes):
        raise ValueError(f"{len(partition.label)}, {len(world.label)} and {len(stakes)} frames: expected the same")
    either = torch.from_numpy(np.maximum(stakes, stakes.T))
    above = torch.ones_like(relation.maximum, dtype=torch.bool).triu(1)
    joined, alike = (_same(each) & above for each in (partition, world))
    intact = judge(torch.arange(len(partition.label))).expected_return

    def priced(chosen: Bool[Tensor, "frame frame"]) -> list[Contrast]:
        return [_contrast(relation, pair, either, judge, intact) for pair in chosen.nonzero().tolist()]

    confusions, distractions = priced(joined & (either > 0)), priced(alike & ~joined)
    return Contrasts(
        n_joined=int(joined.sum()),
        n_confusions=len(confusions),
        confusions=tuple(sorted(confusions, key=lambda each: (-each.lost, -each.stake))[:n_shown]),
        n_alike=int(alike.sum()),
        n_distractions=len(distractions),
        distractions=tuple(sorted(distractions, key=lambda each: (-each.lost, -each.divergence))[:n_shown]),
        n_costly_confusions=_n_costly(confusions),
        n_costly_distractions=_n_costly(distractions),
    )


def stakes_of(graph: StateGraph, place: Int64[Tensor, " frame"]) -> Float64[np.ndarray, "frame frame"]:
    """Return [a, b], the return lost by acting once at a as is right at b; `place` gives the frames in the graph."""
    regret = _regret(graph)  # state action
    places = place.numpy()
    right = np.stack([graph.optimal[graph.frame_id == frame].any(0) for frame in places]).astype(float)  # frame action
    shares = right / np.maximum(right.sum(1, keepdims=True), 1)
    mean = np.stack([regret[graph.frame_id == frame].mean(0) for frame in places])  # frame action
    return np.where(right.any(1), mean @ shares.T, 0.0)


def _regret(graph: StateGraph) -> Float64[np.ndarray, "state action"]:
    """Return what each action costs, once, in each state."""
    reaches = graph.steps_to_success != NOWHERE
    value = np.where(reaches, 1 - 0.9 * graph.steps_to_success / graph.max_steps, 0.0)
    step = 0.9 / graph.max_steps
    after = value[np.where(graph.next_state == NOWHERE, 0, graph.next_state)]
    goes_on = (graph.outcome == CONTINUES) & (after > 0)
    left = np.select([graph.outcome == SUCCESS, goes_on], [1 - step, after - step], 0.0)
    return np.maximum(value[:, None] - left, 0.0).round(12)  # rounding is no regret


def _same(partition: Partition) -> Bool[Tensor, "frame frame"]:
    return partition.label[:, None] == partition.label


def _n_costly(priced: Sequence[Contrast]) -> int:
    return sum(each.lost > 0 for each in priced)


def _contrast(relation: Relation, pair: Sequence[int], stakes: Tensor, judge: Judge, intact: float) -> Contrast:
    a, b = pair
    earned = []
    for shown, instead in ((a, b), (b, a)):
        chosen = torch.arange(relation.n_frames)
        chosen[shown] = instead
        earned.append(judge(chosen).expected_return)
    return Contrast(
        frame=int(relation.frame_id[a]),
        other=int(relation.frame_id[b]),
        divergence=float(relation.maximum[a, b]),
        stake=float(stakes[a, b]),
        lost=round(max(intact - min(earned), 0.0), DIGITS),
    )
