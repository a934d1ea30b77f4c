"""How much of the world's truth the features of a dictionary tell."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from dtinterp.activations.harvest import Activations
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.dictionary.evaluation.matching import identifiable
from dtinterp.dictionary.rows.distinct import rank_of
from dtinterp.features.labels.labelling import Sides, divided
from dtinterp.features.labels.predicates import Predicates
from dtinterp.features.labels.table import LabelConfig
from dtinterp.features.table import FactValue
from dtinterp.features.truth.detection import Detection, Evidence, detect, tellable
from dtinterp.features.truth.structure import (
    CorrelationStructure,
    EffectiveDimension,
    correlation_structure,
    effective_dimension,
)
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.subject.items import Embedding, item_directions
from environments.vocabulary import ITEMS, one_hot

_Known: TypeAlias = Callable[[Activations, Trajectories], tuple[Tensor, tuple[str, ...]]]
"""Tells of each row which of some named truths hold."""


@dataclass(frozen=True)
class Subspace:
    """The identifiable subspace of observation embeddings: what the directions of items that vary span."""

    n_identifiable: int
    """items that some rows show and others do not"""
    rank: int
    """dimensions that their directions span, see `item_directions`"""
    inside: float
    """mean share of a decoder row's squared length that lies in it"""
    chance: float
    """the same for a random direction: rank / d_model"""


@dataclass(frozen=True)
class TruthReport:
    """How the features of one dictionary stand to the truth; distinct inputs, divided by frame as labels are."""

    items: Detection
    facts: Detection
    structure: Mapping[str, CorrelationStructure]
    """of items, of facts, of features' firings, and of firings where each feature's are shuffled on their own"""
    dimension: EffectiveDimension
    subspace: Subspace | None
    """None at sites where rows are no sums of items"""
    name: str
    site: str
    n_searched: int
    n_judged: int


@dataclass(frozen=True)
class DetectionSummary:
    """How well truths of one sort are told by single features, on the judged side."""

    n: int
    """truths that vary enough on both sides"""
    mean_f1: float
    mean_f1_shuffled: float
    """the same with the truths of other rows"""
    mean_auroc: float
    coverage: float
    uniqueness: float


@dataclass(frozen=True)
class TruthSummary:
    """The numbers of a report at a glance."""

    items: DetectionSummary
    facts: DetectionSummary
    correlation: Mapping[str, Mapping[str, float | int]]
    """by set of variables: how many vary, mean absolute correlation, share of strong ones, dimension"""
    dimension: EffectiveDimension
    subspace: Subspace | None = None


@dataclass(frozen=True)
class TruthStudy:
    """A dictionary's report, and how one of the same make fares in a model that was never trained."""

    report: TruthReport
    untrained: TruthSummary | None = None
    """None in artefacts that were made before there was this control"""


def truth_report(
    dictionary: Dictionary,
    rows: Activations,
    trajectories: Trajectories,
    config: LabelConfig,
    *,
    W_obs: Embedding | None = None,
) -> TruthReport:
    """Return the report from rows of windows of `trajectories`, which should be held out.

    `W_obs`, where rows are observation embeddings, adds the identifiable subspace. Of `config` count the division, the
    seed and the fewest inputs. Raises `UserError` where rows are of another site or show too few frames.
    """
    if dictionary.site != rows.site:
        raise UserError(
            f"Dictionary {dictionary.name!r} was fitted at {dictionary.site!r}, the rows are from {rows.site!r}: "
            "harvest rows at the dictionary's site."
        )
    sides = divided(rows, trajectories, config)
    rng = generator(config.seed, "truth/shuffle")
    searched, judged = (encode_dense(dictionary, side.value) for side in (sides.searched, sides.judged))
    items, facts = (_pair(sides, trajectories, column) for column in (_items, _facts))
    fires = searched > 0
    numbers = [f"feature {number}" for number in range(fires.shape[1])]
    shuffled = torch.stack([each[torch.randperm(len(each), generator=rng)] for each in fires.T], dim=1)
    return TruthReport(
        items=_detected(items, (searched, judged), config, rng),
        facts=_detected(facts, (searched, judged), config, rng),
        structure={
            "items": correlation_structure(items.searched.double(), items.names),
            "facts": correlation_structure(facts.searched.double(), facts.names),
            "features": correlation_structure(fires.double(), numbers),
            "shuffled features": correlation_structure(shuffled.double(), numbers),
        },
        dimension=effective_dimension(dictionary, sides.searched.value),
        subspace=None if W_obs is None else subspace(dictionary, W_obs, _rate(sides.searched, trajectories)),
        name=dictionary.name,
        site=rows.site,
        n_searched=len(searched),
        n_judged=len(judged),
    )


def summary_of(report: TruthReport) -> TruthSummary:
    """Return the numbers of a report at a glance."""
    return TruthSummary(
        items=_told(report.items),
        facts=_told(report.facts),
        correlation={name: _numbers(each) for name, each in report.structure.items()},
        dimension=report.dimension,
        subspace=report.subspace,
    )


def subspace(dictionary: Dictionary, W_obs: Embedding, rate: Float32[Tensor, " item"]) -> Subspace:
    """Return how much of the decoder lies where data can tell items apart; `rate` is each item's share of rows."""
    directions = item_directions(W_obs, rate)
    truth = directions[identifiable(directions, rate=rate)].double()  # true d_model
    rank = rank_of(truth.float())
    basis = torch.linalg.svd(truth, full_matrices=False).Vh[:rank]  # rank d_model
    unit = torch.nn.functional.normalize(dictionary.W_dec.double(), dim=1)
    inside = (unit @ basis.T).square().sum(dim=1).mean()
    return Subspace(len(truth), rank, float(inside), rank / dictionary.d_model)


@dataclass(frozen=True)
class _Truths:
    """The same truths on both sides."""

    searched: Bool[Tensor, "row truth"]
    judged: Bool[Tensor, "other truth"]
    names: tuple[str, ...]


def _pair(sides: Sides, trajectories: Trajectories, truths: _Known) -> _Truths:
    """Return those truths that vary on the searched side, one of each that hold in the same inputs."""
    searched, names = truths(sides.searched, trajectories)
    judged, _ = truths(sides.judged, trajectories)
    kept = Predicates(searched, names, torch.zeros(len(names))).telling
    return _Truths(searched[:, kept], judged[:, kept], tuple(names[place] for place in kept.tolist()))


def _detected(truths: _Truths, value: tuple[Tensor, Tensor], config: LabelConfig, rng: torch.Generator) -> Detection:
    kept = tellable(truths.searched, truths.judged, config.min_firings)
    searched, judged = Evidence(truths.searched[:, kept], value[0]), Evidence(truths.judged[:, kept], value[1])
    return detect(searched, judged, tuple(truths.names[place] for place in kept.tolist()), rng)


def _items(side: Activations, trajectories: Trajectories) -> tuple[Tensor, tuple[str, ...]]:
    return one_hot(trajectories.frames)[trajectories.frame_id[side.step].long()].bool(), ITEMS


def _facts(side: Activations, trajectories: Trajectories) -> tuple[Tensor, tuple[str, ...]]:
    """Return whether each fact has each of the values that it has anywhere in the demonstrations, but for the time."""
    names = [name for name in trajectories.fact_names if name != "time"]
    known = trajectories.fact_table[trajectories.fact_id[side.step].long()]  # row fact
    holds, told = [], []
    for name in names:
        place = trajectories.fact_names.index(name)
        for value in trajectories.fact_table[:, place].unique().tolist():
            holds.append(known[:, place] == value)
            told.append(FactValue(name, value).label)
    return torch.stack(holds, dim=1) if holds else torch.zeros(len(known), 0, dtype=torch.bool), tuple(told)


def _rate(side: Activations, trajectories: Trajectories) -> Float32[Tensor, " item"]:
    return one_hot(trajectories.frames)[trajectories.frame_id[side.step].long()].mean(dim=0)


def _told(found: Detection) -> DetectionSummary:
    return DetectionSummary(
        n=len(found.truth),
        mean_f1=_mean(found.f1),
        mean_f1_shuffled=_mean(found.control),
        mean_auroc=_mean(found.auroc),
        coverage=found.coverage,
        uniqueness=found.uniqueness,
    )


def _numbers(structure: CorrelationStructure) -> dict[str, float | int]:
    return {name: value for name, value in asdict(structure).items() if name not in ("together", "apart")}


def _mean(values: Float32[Tensor, " truth"]) -> float:
    return float(values.double().mean()) if len(values) else 0.0


TRUTH = ArtefactKind(
    "truth",
    TruthStudy,
    places={
        "report": "config.findings",
        "report.name": "config.name",
        "report.site": "config.site",
        "report.items.truth": "config.findings.items",
        "report.facts.truth": "config.findings.facts",
        "untrained": "metrics.untrained?",
    },
    tensors={"report": ""},
    beside=lambda study: Beside(metrics=asdict(summary_of(study.report))),
)
