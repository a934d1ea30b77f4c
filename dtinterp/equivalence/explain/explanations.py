"""Explanations: which features keep two observations apart, and what features say of certified classes."""

from dataclasses import dataclass

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.equivalence.explain.class_features import ClassFeatures, Dimensions
from dtinterp.equivalence.explain.prediction import Predictions
from dtinterp.equivalence.explain.similarity import LearnedSimilarity
from dtinterp.equivalence.explain.smallest_set import PairConfig, PairExplanation
from dtinterp.foundation.artefacts.codec import ArtefactKind


@dataclass(frozen=True)
class ExplainedPair:
    """Two observations, and the features that keep them apart."""

    pair: tuple[int, int]
    """rows of the trajectories' frame table"""
    search: PairConfig
    found: PairExplanation
    dictionary: str
    """name of the dictionary that the features are of"""
    histories: str = "held-out windows"
    """in which the two were exchanged, in words"""

    @property
    def first(self) -> int:
        """The one whose features are exchanged."""
        return self.pair[0]

    @property
    def second(self) -> int:
        """The other one."""
        return self.pair[1]


@dataclass(frozen=True)
class ExplainedClasses:
    """What features say of certified classes."""

    predictions: Predictions
    """how well distances tell which observations are interchangeable"""
    learned: LearnedSimilarity
    """the same of similarities that are learned on some frames and judged on others"""
    dimensions: Dimensions
    """of the embeddings, before and after a class counts as one observation"""
    classes: tuple[ClassFeatures, ...]
    """what the members share and differ in, of each class of two or more, the largest first"""
    dictionary: str
    """name of the dictionary"""
    site: str = OBSERVATION_EMBEDDING
    """where it reads"""


PAIR = ArtefactKind(
    "pair",
    ExplainedPair,
    places={"found": "metrics", "dictionary": "parents.dictionary"},
    unread=frozenset({"pair"}),
)
EXPLANATION = ArtefactKind(
    "explanation",
    ExplainedClasses,
    places={"": "metrics", "dictionary": "parents.dictionary"},
    unread=frozenset({"frame_id", "label"}),
)
