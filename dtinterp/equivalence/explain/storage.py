"""Explanations on disk become values again: why two observations differ, and what features say of the classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from dtinterp.equivalence.explain.class_features import ClassFeatures, Dimensions
from dtinterp.equivalence.explain.prediction import Predictions
from dtinterp.equivalence.explain.similarity import LearnedSimilarity
from dtinterp.equivalence.explain.smallest_set import PairConfig, PairExplanation
from dtinterp.foundation.artefacts.artefact import Artefact, read_artefact
from dtinterp.foundation.artefacts.soundness import understood

PAIR = "pair"
"""Kind of the artefact that explains two observations."""
CLASSES = "explanation"
"""Kind of the artefact that explains all classes."""


@dataclass(frozen=True)
class ExplainedPair:
    """Two observations, and the features that keep them apart."""

    first: int
    """row of the trajectories' frame table"""
    second: int
    search: PairConfig
    found: PairExplanation
    dictionary: str
    """name of the dictionary that the features are of"""


@dataclass(frozen=True)
class ClassesExplanation:
    """What features say of certified classes."""

    predictions: Predictions
    """how well distances tell which observations are interchangeable"""
    learned: LearnedSimilarity
    """the same of similarities that are learned on some frames and judged on others"""
    dimensions: Dimensions
    """of the embeddings, before and after a class counts as one observation"""
    classes: tuple[ClassFeatures, ...]
    """what the members share and differ in, of each class of two or more, the largest first"""


@dataclass(frozen=True)
class ExplainedClasses(ClassesExplanation):
    """The same as it was read."""

    dictionary: str
    """name of the dictionary"""


@understood(PAIR)
def load_pair(path: Path, *, parent: Artefact | None = None) -> ExplainedPair:
    """Read an explained pair; with `parent`, check that it rests on just that artefact.

    Raises `UserError` where it is missing, damaged, of another schema or parent.
    """
    artefact = read_artefact(path, kind=PAIR, parent=parent)
    first, second = TypeAdapter(tuple[int, int]).validate_python(artefact.config["pair"])
    return ExplainedPair(
        first=first,
        second=second,
        search=TypeAdapter(PairConfig).validate_python(artefact.config["search"]),
        found=TypeAdapter(PairExplanation).validate_python(artefact.manifest.metrics),
        dictionary=_dictionary(artefact.manifest.parents),
    )


@understood(CLASSES)
def load_explained_classes(path: Path, *, parent: Artefact | None = None) -> ExplainedClasses:
    """Read what features say of classes; with `parent`, check that it rests on just that artefact.

    Raises `UserError` where it is missing, damaged, of another schema or parent.
    """
    artefact = read_artefact(path, kind=CLASSES, parent=parent)
    metrics = artefact.manifest.metrics
    return ExplainedClasses(
        predictions=TypeAdapter(Predictions).validate_python(metrics["predictions"]),
        learned=TypeAdapter(LearnedSimilarity).validate_python(metrics["learned"]),
        dimensions=TypeAdapter(Dimensions).validate_python(metrics["dimensions"]),
        classes=TypeAdapter(tuple[ClassFeatures, ...]).validate_python(metrics["classes"]),
        dictionary=_dictionary(artefact.manifest.parents),
    )


def _dictionary(parents: Mapping[str, str]) -> str:
    """Return the name of the dictionary among the parents."""
    return next(name for name in parents if name.startswith("dictionary/")).removeprefix("dictionary/")
