"""What the stages of a study made becomes one value that the page is rendered from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from dtinterp.agents.storage import TRAINING
from dtinterp.demonstrations.evaluate import Evaluation
from dtinterp.demonstrations.quality import Quality, quality
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.acceptance import verdict_of
from dtinterp.dictionary.evaluation.score import DictionaryScore
from dtinterp.equivalence.exhaustive_contexts import tried_on
from dtinterp.equivalence.explain.storage import ExplainedClasses, ExplainedPair
from dtinterp.equivalence.model_comparison import ModelComparison
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.features.labels.table import LabelStudy
from dtinterp.features.table import FeatureTable
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.dictionary_comparison import DictionaryComparison
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.model.calibration import CalibrationPoint, recorded_calibration
from dtinterp.model.config import ModelConfig

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class Sourced(Generic[ValueT]):
    """A result and the artefact in which it is written."""

    value: ValueT
    artefact: Artefact


@dataclass(frozen=True)
class ScoredDictionary:
    """A dictionary and its report card on held-out rows."""

    dictionary: Dictionary
    score: DictionaryScore


@dataclass(frozen=True)
class StudyResults:
    """Everything that the report shows, each with the artefact it rests on."""

    command: str
    """the command line that makes the study again"""
    agent: Artefact
    demonstrations: Sourced[Trajectories]
    model: Sourced[ModelConfig]
    equivalence: Sourced[EquivalenceReport]
    dictionaries: Sequence[Sourced[ScoredDictionary]] = ()
    features: Sequence[Sourced[FeatureTable]] = ()
    """of those dictionaries whose features are shown"""
    labels: Sequence[Sourced[LabelStudy]] = ()
    """statements that tell when features fire; empty where none were searched"""
    comparison: Sourced[DictionaryComparison] | None = None
    """the dictionaries on the same windows; None where they were not compared"""
    agreement: Sourced[ModelComparison] | None = None
    """the classes held against the world, and against other models'; None where they were not compared"""
    pairs: Sequence[Sourced[ExplainedPair]] = ()
    """what keeps some observations apart"""
    explained: Sourced[ExplainedClasses] | None = None
    """what features say of the classes; None where they were not asked"""
    intervention: Sourced[InterventionReport] | None = None
    """the instruction flip; None where the world has no decision point to try it at"""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """wall-clock seconds of each stage; empty where artefacts were only read"""

    def __post_init__(self) -> None:
        """Refuse results that speak of different worlds, and features of a dictionary that is not there."""
        if self.equivalence.value.env_id != self.env_id:
            raise UserError(
                f"the equivalence report is about {self.equivalence.value.env_id}, the demonstrations about "
                f"{self.env_id}: give results of one study."
            )
        for table in self.features:
            self.described(table.value)

    def described(self, table: FeatureTable) -> ScoredDictionary:
        """Return the dictionary whose features a table describes; raises `UserError` where it is not there."""
        for scored in self.dictionaries:
            dictionary = scored.value.dictionary
            if (dictionary.name, dictionary.site) == (table.name, table.site):
                return scored.value
        raise UserError(
            f"features are described for the dictionary {table.name!r} at {table.site}, which is not among the "
            f"{len(self.dictionaries)} given: give it too."
        )

    def label_of(self, name: str, site: str, feature: int) -> str:
        """Return the good label of a feature, or nothing where it has none or none was searched."""
        for study in self.labels:
            labels = study.value.labels
            if (labels.name, labels.site) == (name, site):
                return labels.good(feature)
        return ""

    def gate_of(self, name: str, site: str) -> str:
        """Return the verdict on a dictionary, such as `passes`; one that the study does not hold is not judged."""
        for scored in self.dictionaries:
            dictionary = scored.value.dictionary
            if (dictionary.name, dictionary.site) == (name, site):
                return str(verdict_of(scored.value.score))
        return "not judged: not among the dictionaries of this study"

    @property
    def env_id(self) -> str:
        """The world."""
        return self.demonstrations.value.env_id

    @cached_property
    def tried_on(self) -> Trajectories:
        """Where the steps lie that the equivalence report names: the demonstrations, or plays of their world.

        Its frame table begins with that of the demonstrations.
        """
        return tried_on(self.equivalence.value.config, self.demonstrations.value)

    @property
    def n_parameters(self) -> int:
        """Trained numbers of the model, as its artefact records them."""
        return sum(tensor.numel() for tensor in self.model.artefact.tensors.values())

    @property
    def calibration(self) -> Mapping[str, Sequence[CalibrationPoint]]:
        """What the model achieves for each return asked of it, by sampler; empty where it was never calibrated."""
        return recorded_calibration(self.model.artefact)

    @cached_property
    def demonstrated(self) -> Quality:
        """What the demonstrations are worth as data; judged anew, since artefacts of older versions record less."""
        return quality(self.demonstrations.value)

    @property
    def demonstrator(self) -> Mapping[str, Evaluation]:
        """How the agent fares in fresh episodes, by sampler; empty where its artefact records nothing."""
        judged = {name: value for name, value in self.agent.manifest.metrics.items() if name != TRAINING}
        return TypeAdapter(dict[str, Evaluation]).validate_python(judged)

    @property
    def artefacts(self) -> tuple[Artefact, ...]:
        """All artefacts, parents before children."""
        sourced = (self.demonstrations, self.model, *self.dictionaries, *self.features, *self.labels, self.equivalence)
        single = (self.comparison, self.agreement, self.explained, self.intervention)
        optional = [*self.pairs, *(each for each in single if each is not None)]
        return (self.agent, *(each.artefact for each in (*sourced, *optional)))
