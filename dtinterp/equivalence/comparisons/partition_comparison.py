"""Comparison of one model's certified classes over populations of histories and returns asked, and their refinement.

What one certificate joins another may have told apart: some swap there moved a decision by more than its epsilon. Or it
keeps the two apart although nothing did, since others come between; that is no contradiction, and counted by itself.
Observations are matched by what they show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from dtinterp.demonstrations.frame_table import ABSENT, FrameTable
from dtinterp.equivalence.partition import Partition, common_refinement, partition_of
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.truth.agreement import Agreement, compare
from dtinterp.equivalence.truth.variation import Variation, variation
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside
from dtinterp.foundation.artefacts.soundness import require_equally_many
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import numpy_generator


@dataclass(frozen=True)
class PartitionComparisonConfig:
    """How one model's certificates are held against each other."""

    n_draws: int = 2_000
    """random classes of equal sizes per comparison, and random halves of the observations for its interval"""
    n_shown: int = 20
    """of the pairs that one certificate joins and another tells apart, those that are kept: the furthest apart first"""
    seed: int = 0
    """seed of both"""

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        require_at_least(self, 1, "n_draws")
        require_at_least(self, 0, "n_shown")
        require_sensible(self)


@dataclass(frozen=True)
class ComparedCertificate:
    """One certificate of those compared."""

    name: str
    population: str
    """the histories, in words"""
    asks: str
    """what the model is asked for there, in words"""
    epsilon: float
    """bits"""
    n_frames: int
    n_classes: int
    n_shared_classes: int
    """of the observations that all certificates share"""


@dataclass(frozen=True)
class TornPair:
    """Two observations that one certificate joins and another tells apart."""

    frame: int
    """row of the frame table that the joining certificate rests on, as the next"""
    other: int
    where_joined: float
    """bits: the largest divergence that the joining certificate met"""
    where_apart: float
    """bits: the largest that the other one met"""


@dataclass(frozen=True)
class JudgedPairs:
    """The pairs that one certificate joins, of the observations that it shares with another, as that one judges them.

    Those that it neither told apart nor leaves undecided it joins as well.
    """

    joining: str
    judging: str
    n_joined: int
    n_told_apart: int
    """some swap of the judging certificate moved a decision by more than its epsilon"""
    n_undecided: int
    """none did, yet it has the two in different classes"""
    worst: tuple[TornPair, ...]
    """the first of those told apart, the furthest apart first"""


@dataclass(frozen=True)
class PartitionDifference:
    """How the classes of two certificates differ on the observations that both are about."""

    one: str
    other: str
    n_frames: int
    agreement: Agreement
    """of the one with the other, beside what chance gives"""
    variation: Variation
    """of the one from the other"""
    judged: tuple[JudgedPairs, ...]
    """what the one joins, as the other judges it; then the other way round"""


@dataclass(frozen=True)
class PartitionComparison:
    """One model's certificates, each two of them compared, and what all of them join."""

    env_id: str
    config: PartitionComparisonConfig
    certificates: tuple[ComparedCertificate, ...]
    differences: tuple[PartitionDifference, ...]
    """one for each two certificates"""
    frame_id: Int64[Tensor, " frame"]
    """the observations that all certificates share, as rows of the first one's frame table"""
    refinement: Partition
    """of these: the coarsest that joins nothing that any certificate keeps apart"""

    def __post_init__(self) -> None:
        """Refuse parts of other certificates or observations."""
        n = len(self.certificates)
        require_equally_many(**{"pairs of certificates": n * (n - 1) // 2, "differences": len(self.differences)})
        require_equally_many(**{"shared observations": len(self.frame_id), "labels": len(self.refinement.label)})


def compare_partitions(
    reports: Mapping[str, EquivalenceReport], config: PartitionComparisonConfig = PartitionComparisonConfig()
) -> PartitionComparison:
    """Hold the classes of one model's certificates, by name, against each other on the observations that they share.

    Raises `UserError` for fewer than two, for several worlds, and where fewer than two observations are in all.
    """
    if len(reports) < 2:
        raise UserError(f"certificates: {len(reports)} given, expected two at least: name another one of this model.")
    names, (first, *others) = list(reports), list(reports.values())
    for name, report in reports.items():
        if report.env_id != first.env_id:
            raise UserError(
                f"{name} was certified in {report.env_id} and {names[0]} in {first.env_id}: give classes of one world."
            )
    shared = shared_places([first, *others])
    if shared.shape[1] < 2:
        raise UserError(
            f"{', '.join(names)} share {shared.shape[1]} observations, expected two at least: leave one of them out, "
            "or certify again with more --n-frames."
        )
    refined = reduce(
        lambda found, other: common_refinement(found, first.frames, other.partition, other.frames),
        others,
        first.partition,
    )
    rng = numpy_generator(config.seed, "partition comparison/controls")
    return PartitionComparison(
        env_id=first.env_id,
        config=config,
        certificates=tuple(
            ComparedCertificate(
                name=name,
                population=report.config.population,
                asks=report.config.asks,
                epsilon=report.config.epsilon,
                n_frames=len(report.frames),
                n_classes=report.partition.n_classes,
                n_shared_classes=len(report.partition.label[places].unique()),
            )
            for (name, report), places in zip(reports.items(), shared, strict=True)
        ),
        differences=tuple(_difference(*two, config, rng) for two in combinations(reports.items(), 2)),
        frame_id=first.chosen.frame_id[shared[0]],
        refinement=partition_of(refined.label[shared[0]], "common refinement"),
    )


def shared_places(reports: Sequence[EquivalenceReport]) -> Int64[Tensor, "report frame"]:
    """Return the place in each report of the frames that all of them are about, in the order of the first."""
    found = torch.stack([FrameTable(each.frames).find(reports[0].frames) for each in reports])
    return found[:, (found != ABSENT).all(0)]


def on_shared_frames(one: EquivalenceReport, other: EquivalenceReport) -> tuple[Partition, Partition]:
    """Return both partitions restricted to the frames that both reports are about."""
    mine, theirs = shared_places([one, other])
    return (
        partition_of(one.partition.label[mine], one.partition.name),
        partition_of(other.partition.label[theirs], other.partition.name),
    )


def judge_pairs(
    joining: tuple[str, EquivalenceReport], judging: tuple[str, EquivalenceReport], *, n_shown: int
) -> JudgedPairs:
    """Return how one named certificate judges what another joins, of the observations that both are about."""
    (name, one), (other_name, other) = joining, judging
    mine, theirs = shared_places([one, other])
    joined = _joins(one.partition.label[mine]).triu(1)
    met = other.known[theirs][:, theirs]
    apart = joined & (met > other.config.epsilon)
    undecided = joined & ~apart & ~_joins(other.partition.label[theirs])
    torn = [
        TornPair(
            frame=int(one.chosen.frame_id[mine[a]]),
            other=int(one.chosen.frame_id[mine[b]]),
            where_joined=float(one.known[mine[a], mine[b]]),
            where_apart=float(met[a, b]),
        )
        for a, b in apart.nonzero().tolist()
    ]
    return JudgedPairs(
        joining=name,
        judging=other_name,
        n_joined=int(joined.sum()),
        n_told_apart=len(torn),
        n_undecided=int(undecided.sum()),
        worst=tuple(sorted(torn, key=lambda pair: -pair.where_apart)[:n_shown]),
    )


def _difference(
    one: tuple[str, EquivalenceReport],
    other: tuple[str, EquivalenceReport],
    config: PartitionComparisonConfig,
    generator: np.random.Generator,
) -> PartitionDifference:
    mine, theirs = on_shared_frames(one[1], other[1])
    return PartitionDifference(
        one=one[0],
        other=other[0],
        n_frames=len(mine.label),
        agreement=compare(mine, theirs, n_draws=config.n_draws, generator=generator),
        variation=variation(mine, theirs),
        judged=tuple(judge_pairs(*two, n_shown=config.n_shown) for two in ((one, other), (other, one))),
    )


def _joins(label: Int64[Tensor, " frame"]) -> Bool[Tensor, "frame frame"]:
    return label[:, None] == label


PARTITION_COMPARISON = ArtefactKind(
    "partition-comparison",
    PartitionComparison,
    places={"": "metrics", "env_id": "config.env_id", "config": "config.compare", "refinement.name": "config.refined"},
    tensors={"refinement": ""},
    beside=lambda found: Beside(metrics={"n_shared": len(found.frame_id), "n_refined": found.refinement.n_classes}),
)
