"""How classes of many observations agree with a world whose states are known, and what return they leave."""

from dataclasses import dataclass

import numpy as np
import torch

from dtinterp.equivalence.behaviour.quotient import Quotient, QuotientEvaluation, judge_of, most_visited_members
from dtinterp.equivalence.classes.verification import CertifyInputs
from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.swaps.chosen_frames import ChosenFrames
from dtinterp.equivalence.truth.agreement import Agreement, compare
from dtinterp.equivalence.truth.world_partitions import world_partitions
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
    """How classes compare with their world."""

    likenesses: tuple[NamedAgreement, ...]
    """one per partition of the world"""
    intact: Expectation
    """the model's return when it is shown what there is: exact, greedy, over all starts"""
    quotients: tuple[Quotient, ...]
    """its return when it is shown the most visited observation of each class: of its own, then of the world's"""


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
    inputs: CertifyInputs,
    graph: StateGraph,
    chosen: ChosenFrames,
    partition: Partition,
    *,
    config: ScreenedAgreementConfig,
    generator: np.random.Generator,
) -> ScreenedAgreement:
    """Hold the classes against each partition of the world, and let the model act on them.

    Raises `UserError` where the world never shows one of the observations.
    """
    frames = inputs.trajectories.frames[chosen.frame_id]
    judge = judge_of(inputs.model, graph, frames, target_return=config.target_return)
    worlds = world_partitions(graph, frames)
    evaluation = QuotientEvaluation(most_visited_members, judge, config.n_quotient_draws, generator)
    return ScreenedAgreement(
        likenesses=tuple(
            NamedAgreement(world.name, compare(partition, world, n_draws=config.n_draws, generator=generator))
            for world in worlds
        ),
        intact=judge([torch.arange(len(frames))])[0],
        quotients=tuple(evaluation.quotients([partition, *worlds])),
    )
