"""Return of a model that is shown one representative for each class of observations.

With r(a) the representative of a's class, the quotient policy sees r(a) wherever the world shows a, at every step and
in every slot. If the classes hold what the model calls the same, it must act as before; if they lose a distinction that
matters, return is lost. Frames that were not compared are shown as they are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.equivalence.partition import Partition, classes_of_count, partition_of
from dtinterp.equivalence.relation import Relation
from dtinterp.foundation.statistics import Interval, central
from dtinterp.interventions.returns.expectation import expectations
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.evaluation import Expectation
from environments.graph.state_graph import StateGraph

Judge = Callable[[Sequence[Int64[Tensor, " frame"]]], list[Expectation]]
"""Plays the model that is shown, for each compared frame, the one at the place given: exactly, in expectation. Each of
the ways to show frames is judged by itself; asking about many at once is cheaper."""

NO_LOSS = 1e-9
"""What rounding may make of a return."""
KEPT = 0.95
"""The share of its return that a model must keep on its classes to be said to act as before."""


@dataclass(frozen=True)
class Quotient:
    """A model whose observations were exchanged for their classes' representatives, beside random classes."""

    name: str
    """of the partition"""
    n_classes: int
    n_exchanged: int
    """observations that are not their own representative"""
    earned: Expectation
    """exact: greedy, over all starts"""
    random_return: Interval
    """with random classes of the same sizes: the mean, the central 95% of the draws, and their number"""
    random_success: Interval


@dataclass(frozen=True)
class Cut:
    """What a model returns on one cut of a dendrogram that is itself a control."""

    n_classes: int
    earned: Expectation


@dataclass(frozen=True)
class QuotientBehaviour:
    """How a model acts when it can tell only some of its observations apart; its return is exact."""

    intact: Expectation
    classes: Quotient
    """by the model's own classes"""
    untrained_classes: Quotient
    """by an untrained model's, as many"""
    worlds: tuple[Quotient, ...]
    """by the world's own partitions"""
    coarsening: tuple[Quotient, ...]
    """by the model's dendrogram, cut into fewer and fewer classes"""
    untrained_coarsening: tuple[Cut, ...]
    """by an untrained model's dendrogram, cut likewise"""

    @property
    def named(self) -> tuple[Quotient, ...]:
        """The partitions that were not made by counting."""
        return (self.classes, self.untrained_classes, *self.worlds)

    @property
    def is_kept(self) -> bool:
        """Whether the model acts on its classes as on its observations, and on no control's classes so well."""
        earned = self.classes.earned.expected_return
        controls = (self.untrained_classes.earned.expected_return, self.classes.random_return.high)
        return earned >= KEPT * self.intact.expected_return and earned > max(controls)

    @property
    def fewest(self) -> Quotient:
        """The last cut of the model's dendrogram, from finer to coarser, before the first one that loses return."""
        floor = self.intact.expected_return - NO_LOSS
        return list(takewhile(lambda cut: cut.earned.expected_return >= floor, self.coarsening))[-1]


Represent = Callable[[Partition], Int64[Tensor, " frame"]]
"""Chooses the place of each frame's representative."""


@dataclass(frozen=True)
class QuotientEvaluation:
    """The one way in which all partitions of the same observations are evaluated."""

    represent: Represent
    judge: Judge
    n_draws: int
    """random classes of the same sizes"""
    generator: np.random.Generator

    def behaviour(
        self, partition: Partition, worlds: Sequence[Partition], *, relation: Relation, untrained: Relation
    ) -> QuotientBehaviour:
        """Return what is left of the behaviour under each partition, and as fewer and fewer classes are left."""
        n_frames = len(partition.label)
        ours, theirs = (coarser_and_coarser(each, halvings(n_frames)) for each in (relation, untrained))
        as_many = classes_of_count(untrained, partition.n_classes)
        classes, untrained_classes, *others = self.quotients([partition, as_many, *worlds, *ours])
        intact, *cut = self.judge([torch.arange(n_frames), *map(self.represent, theirs)])
        return QuotientBehaviour(
            intact=intact,
            classes=classes,
            untrained_classes=untrained_classes,
            worlds=tuple(others[: len(worlds)]),
            coarsening=tuple(others[len(worlds) :]),
            untrained_coarsening=tuple(Cut(each.n_classes, earned) for each, earned in zip(theirs, cut, strict=True)),
        )

    def quotients(self, partitions: Sequence[Partition]) -> list[Quotient]:
        """Return what is left under each partition when each of its classes is one observation to the model."""
        shown = [[self.represent(each), *self._controls(each)] for each in partitions]
        earned = iter(self.judge([chosen for arms in shown for chosen in arms]))
        return [
            _quotient(partition, arms[0], [next(earned) for _ in arms])
            for partition, arms in zip(partitions, shown, strict=True)
        ]

    def _controls(self, partition: Partition) -> Iterator[Int64[Tensor, " frame"]]:
        for _ in range(self.n_draws):
            shuffled = torch.from_numpy(self.generator.permutation(partition.label.numpy()))
            yield self.represent(partition_of(shuffled, "random"))


def _quotient(partition: Partition, chosen: Int64[Tensor, " frame"], found: Sequence[Expectation]) -> Quotient:
    earned, *controls = found
    return Quotient(
        name=partition.name,
        n_classes=partition.n_classes,
        n_exchanged=int((chosen != torch.arange(len(chosen))).sum()),
        earned=earned,
        random_return=central([control.expected_return for control in controls]),
        random_success=central([control.success for control in controls]),
    )


def coarser_and_coarser(relation: Relation, counts: Sequence[int]) -> list[Partition]:
    """Return the dendrogram cut into these numbers of classes; cuts that ties make equal are given once."""
    cuts = {cut.n_classes: cut for cut in (classes_of_count(relation, count) for count in counts)}
    return [cuts[count] for count in sorted(cuts, reverse=True)]


def halvings(n_frames: int) -> list[int]:
    """Return numbers of classes from all frames apart to all in one, each about half of the last but one."""
    counts = {round(n_frames * 2 ** (-step / 2)) for step in range(2 * n_frames.bit_length() + 1)}
    return sorted(counts - {0} | {1}, reverse=True)


def judge_of(
    model: DecisionTransformer,
    graph: StateGraph,
    frames: UInt8[Tensor, "frame view view 3"],
    *,
    target_return: float,
) -> Judge:
    """Return what tells the model's exact greedy expectation when chosen frames are shown as others."""
    place = FrameTable.of_graph(graph).rows_of(frames)

    def judge(shown: Sequence[Int64[Tensor, " frame"]]) -> list[Expectation]:
        itself = torch.arange(len(graph.frames))
        substitutes = [itself.index_copy(0, place, place[chosen]) for chosen in shown]
        return expectations(model, graph, Greedy(), substitutes, target_return=target_return)

    return judge


def most_visited_members(partition: Partition) -> Int64[Tensor, " frame"]:
    """Return the place of each frame's representative: the first member of its class, where the first is most visited.

    A class's first member has the lowest place, so places must be in order of visits.
    """
    first = torch.full((partition.n_classes,), len(partition.label))
    first = first.scatter_reduce(0, partition.label, torch.arange(len(partition.label)), reduce="amin")
    return first[partition.label]
