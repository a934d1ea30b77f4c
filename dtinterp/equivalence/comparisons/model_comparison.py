"""Comparison of several models' certified classes with the world's partitions, and with each other.

The p-values of one model are one family, adjusted after Holm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.certify import judge_of
from dtinterp.equivalence.comparisons.compared_partitions import Certified, model_partitions, world_relations
from dtinterp.equivalence.comparisons.partition_comparison import on_shared_frames
from dtinterp.equivalence.truth.agreement import Agreement, compare
from dtinterp.equivalence.truth.disagreements import Contrasts, contrasts
from dtinterp.equivalence.truth.key_ball_symmetry import Reflection, reflect
from dtinterp.equivalence.truth.stakes import stakes_of
from dtinterp.equivalence.truth.variation import Variation, variation
from dtinterp.foundation.artefacts.codec import ArtefactKind
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least, require_sensible, require_share
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.foundation.statistics import holm
from environments.graph.random_play import RandomPlay, random_play
from environments.graph.state_graph import StateGraph, state_graph

MATTERS = "reward bisimulation"
"""The world's partition that confusions and distractions are named by."""


@dataclass(frozen=True)
class ModelComparisonConfig:
    """How classes are held against the world and against each other."""

    n_draws: int = 2_000
    """random classes of equal sizes per comparison, and random halves of the observations for its interval"""
    demonstrated_epsilon: float = 0.05
    """bits that the demonstrated actions of two observations may be apart to be called the same"""
    tau: float = 0.1
    """distance |z_a - z_b| / (|z_a| + |z_b|) up to which two codes z of a dictionary are called the same"""
    n_shown: int = 12
    """confusions and distractions that are kept, each, the first by return lost, once all are priced"""
    n_random: int = 12
    """longest plays, in random actions from a start, whose beliefs say what is at stake between two observations"""
    n_windows: int = 512
    """windows of the histories that classes are of, whose mirror images are looked at"""
    seed: int = 0
    """seed of windows and controls"""

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        require_share(self, "demonstrated_epsilon")
        require_at_least(self, 1, "n_draws", "n_windows")
        require_at_least(self, 0, "n_shown", "n_random")
        require_share(self, "tau")
        require_sensible(self)


@dataclass(frozen=True)
class WorldAgreement:
    """One relation of one model held against one of the world's partitions."""

    model: str
    relation: str
    world: str
    agreement: Agreement
    variation: Variation
    p_holm: float
    """the agreement's p-value, adjusted for all comparisons of this model"""


@dataclass(frozen=True)
class ModelAgreement:
    """How far two models' certified classes agree on the frames that both were certified on."""

    model: str
    other: str
    n_frames: int
    agreement: Agreement
    p_holm: float
    """adjusted for all pairs of models"""


@dataclass(frozen=True)
class ModelContrasts:
    """What one model confuses, what distracts it, and whether it tells key from ball."""

    model: str
    contrasts: Contrasts
    reflection: Reflection
    untrained: Reflection
    """the same windows in an untrained model"""


@dataclass(frozen=True)
class ModelComparison:
    """Models against the world, against each other, and against their own mirror images."""

    env_id: str
    config: ModelComparisonConfig
    against: tuple[WorldAgreement, ...]
    kinships: tuple[ModelAgreement, ...]
    portraits: tuple[ModelContrasts, ...]


def compare_models(
    certified: Sequence[Certified], trajectories: Trajectories, config: ModelComparisonConfig
) -> ModelComparison:
    """Hold each model's relations against the world's, and the models against each other.

    Raises `UserError` where a report is about another world than the trajectories.
    """
    for each in certified:
        if each.report.env_id != trajectories.env_id:
            raise UserError(
                f"{each.name} was certified in {each.report.env_id}, the demonstrations are of {trajectories.env_id}: "
                "give results of one world."
            )
    graph = state_graph(trajectories.env_id)
    rng, play = numpy_generator(config.seed, "comparison/controls"), random_play(graph, config.n_random)
    return ModelComparison(
        env_id=trajectories.env_id,
        config=config,
        against=tuple(row for each in certified for row in _against(each, graph, trajectories, config, rng)),
        kinships=_kinships(certified, config, rng),
        portraits=tuple(_portrait(each, graph, play, config) for each in certified),
    )


def _against(
    certified: Certified,
    graph: StateGraph,
    trajectories: Trajectories,
    config: ModelComparisonConfig,
    rng: np.random.Generator,
) -> list[WorldAgreement]:
    worlds = world_relations(certified, graph, trajectories, config.demonstrated_epsilon)
    rows = [
        WorldAgreement(
            model=certified.name,
            relation=partition.name,
            world=world.name,
            agreement=compare(partition, world, n_draws=config.n_draws, generator=rng),
            variation=variation(partition, world),
            p_holm=1.0,
        )
        for partition in model_partitions(certified, tau=config.tau)
        for world in worlds
    ]
    adjusted = holm(np.array([row.agreement.p_value for row in rows]))
    return [replace(row, p_holm=float(p)) for row, p in zip(rows, adjusted, strict=True)]


def _kinships(
    certified: Sequence[Certified], config: ModelComparisonConfig, rng: np.random.Generator
) -> tuple[ModelAgreement, ...]:
    rows = []
    for index, one in enumerate(certified):
        for other in certified[index + 1 :]:
            mine, theirs = on_shared_frames(one.report, other.report)
            if len(mine.label) > 1:
                found = compare(mine, theirs, n_draws=config.n_draws, generator=rng)
                rows.append(ModelAgreement(one.name, other.name, len(mine.label), found, 1.0))
    adjusted = holm(np.array([row.agreement.p_value for row in rows]))
    return tuple(replace(row, p_holm=float(p)) for row, p in zip(rows, adjusted, strict=True))


def _portrait(
    certified: Certified, graph: StateGraph, play: RandomPlay, config: ModelComparisonConfig
) -> ModelContrasts:
    report = certified.report
    judge = judge_of(certified.model, graph, report.frames, target_return=report.config.target_return)
    world = next(world for world in report.worlds if world.name == MATTERS)
    found = contrasts(
        report.relation,
        report.partition,
        world,
        stakes=stakes_of(graph, FrameTable.of_graph(graph).rows_of(report.frames), play),
        judge=judge,
        n_shown=config.n_shown,
    )
    windows = certified.windows
    reflections = (reflect(model, windows, certified.frames) for model in (certified.model, certified.untrained))
    return ModelContrasts(certified.name, found, *reflections)


MODEL_COMPARISON = ArtefactKind(
    "model-comparison",
    ModelComparison,
    places={"": "metrics", "env_id": "config.env_id", "config": "config.compare"},
    formerly=("comparison",),
)
