"""Classes of many observations become what they are in a world whose states are known: its own classes, and return."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.equivalence.behaviour.quotient import Judge, Quotient, judge_of
from dtinterp.equivalence.chosen_frames import ChosenFrames
from dtinterp.equivalence.classes.scrutiny import CertifyInputs
from dtinterp.equivalence.partition import Partition, partition_of
from dtinterp.equivalence.truth.agreement import Agreement, compare
from dtinterp.equivalence.truth.world_partitions import world_partitions
from dtinterp.foundation.statistics import central
from environments.graph.evaluation import Expectation
from environments.graph.state_graph import StateGraph


@dataclass(frozen=True)
class NamedAgreement:
    """How far the classes agree with one partition of the world."""

    world: str
    """name of the world's partition"""
    agreement: Agreement


@dataclass(frozen=True)
class ScreenedAgreement:
    """What classes are worth in their world."""

    likenesses: tuple[NamedAgreement, ...]
    """one per partition of the world"""
    intact: Expectation
    """what the model earns when it is shown what there is: exact, greedy, over all starts"""
    quotients: tuple[Quotient, ...]
    """what it earns when it is shown the most visited observation of each class: of its own, then of the world's"""


@dataclass(frozen=True)
class ScreenedAgreementConfig:
    """How many random classes are compared with."""

    n_draws: int
    """per partition of the world"""
    n_quotient_draws: int
    """that the model acts on, per partition"""
    target_return: float
    """return asked of the model"""


def screened_agreement(
    bench: CertifyInputs,
    graph: StateGraph,
    chosen: ChosenFrames,
    partition: Partition,
    *,
    comparing: ScreenedAgreementConfig,
    generator: np.random.Generator,
) -> ScreenedAgreement:
    """Hold the classes against each partition of the world, and let the model act on them.

    Raises `UserError` where the world never shows one of the observations.
    """
    frames = bench.trajectories.frames[chosen.frame_id]
    judge = judge_of(bench.model, graph, frames, target_return=comparing.target_return)
    worlds = world_partitions(graph, frames)
    return ScreenedAgreement(
        likenesses=tuple(
            NamedAgreement(world.name, compare(partition, world, n_draws=comparing.n_draws, generator=generator))
            for world in worlds
        ),
        intact=judge(torch.arange(len(frames))),
        quotients=tuple(
            _quotient(each, judge, n_draws=comparing.n_quotient_draws, generator=generator)
            for each in (partition, *worlds)
        ),
    )


def most_visited_members(partition: Partition) -> Int64[Tensor, " frame"]:
    """Return the place of each frame's representative: the first member of its class, where the first is most visited.

    A class's first member has the lowest place, so places must be in order of visits.
    """
    first = torch.full((partition.n_classes,), len(partition.label))
    first = first.scatter_reduce(0, partition.label, torch.arange(len(partition.label)), reduce="amin")
    return first[partition.label]


def _quotient(partition: Partition, judge: Judge, *, n_draws: int, generator: np.random.Generator) -> Quotient:
    chosen = most_visited_members(partition)
    shuffled = [torch.from_numpy(generator.permutation(partition.label.numpy())) for _ in range(n_draws)]
    controls = [judge(most_visited_members(partition_of(label, "random"))) for label in shuffled]
    return Quotient(
        name=partition.name,
        n_classes=partition.n_classes,
        n_exchanged=int((chosen != torch.arange(len(chosen))).sum()),
        earned=judge(chosen),
        random_return=central([control.expected_return for control in controls]),
        random_success=central([control.success for control in controls]),
    )
