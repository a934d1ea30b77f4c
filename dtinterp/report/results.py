"""What the stages of a study made, opened: each result with the artefact it rests on, found by its type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from dtinterp.agents.storage import AGENT, TRAINING
from dtinterp.demonstrations.evaluate import Evaluation
from dtinterp.demonstrations.quality import Quality, quality
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.score import DictionaryScore, verdict_of
from dtinterp.equivalence.populations.population import tried_on
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.features.labels.table import LabelStudy
from dtinterp.features.table import FeatureTable
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.returns.calibration import CalibrationPoint, extremes, recorded_calibration
from dtinterp.model.config import ModelConfig

ValueT_co = TypeVar("ValueT_co", covariant=True)
WantedT = TypeVar("WantedT")
N_DIGITS = 10
"""Digits of a digest that are shown; a page has too few artefacts for two to share them."""


@dataclass(frozen=True)
class Result(Generic[ValueT_co]):
    """A result and the artefact in which it is written."""

    value: ValueT_co
    artefact: Artefact

    @property
    def path(self) -> Path:
        """The artefact's folder."""
        return self.artefact.path

    @property
    def digest(self) -> str:
        """The first digits of the manifest's digest."""
        return self.artefact.manifest.digest[:N_DIGITS]

    @property
    def anchor(self) -> str:
        """The id of its entry under Provenance."""
        return f"artefact-{self.digest}"

    @property
    def label(self) -> str:
        """What it is called: its kind and its folder's name."""
        return f"{self.artefact.manifest.kind}/{self.artefact.name}"


@dataclass(frozen=True)
class ScoredDictionary:
    """A dictionary and its report card on held-out rows."""

    dictionary: Dictionary
    score: DictionaryScore


@dataclass(frozen=True)
class CalibratedRange:
    """The ends of a model's calibration, with actions drawn by one sampler."""

    sampler: str
    low: CalibrationPoint
    """at the lowest return asked for"""
    high: CalibrationPoint
    """where the model does best"""


@dataclass(frozen=True)
class StudyResults:
    """Everything that the report may show. Demonstrations, model and equivalence are always among it."""

    command: str
    """the command line that makes the study again"""
    opened: Sequence[Result[object]]
    """parents before children"""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """wall-clock seconds of each stage; empty where artefacts were only read"""

    def __post_init__(self) -> None:
        """Refuse results of different worlds, and features of a dictionary that is not there."""
        if self.equivalence.value.env_id != self.env_id:
            raise UserError(
                f"the equivalence report is about {self.equivalence.value.env_id}, the demonstrations about "
                f"{self.env_id}: give results of one study."
            )
        for table in self.of(FeatureTable):
            self.described(table.value)

    def of(self, wanted: type[WantedT]) -> tuple[Result[WantedT], ...]:
        """Return the results of a type."""
        return tuple(Result(each.value, each.artefact) for each in self.opened if isinstance(each.value, wanted))

    def first(self, wanted: type[WantedT]) -> Result[WantedT] | None:
        """Return the first result of a type; None where the study has none."""
        return next(iter(self.of(wanted)), None)

    @cached_property
    def demonstrations(self) -> Result[Trajectories]:
        """What the model learnt from."""
        return self.of(Trajectories)[0]

    @cached_property
    def model(self) -> Result[ModelConfig]:
        """The model's shape."""
        return self.of(ModelConfig)[0]

    @cached_property
    def equivalence(self) -> Result[EquivalenceReport]:
        """The certified classes."""
        return self.of(EquivalenceReport)[0]

    @cached_property
    def agent(self) -> Result[object]:
        """The demonstrator."""
        return next(each for each in self.opened if each.artefact.manifest.kind == AGENT.name)

    def described(self, table: FeatureTable) -> ScoredDictionary:
        """Return the dictionary whose features a table describes; raises `UserError` where it is not there."""
        found = self._scored(table.name, table.site)
        if found is None:
            raise UserError(
                f"features are described for the dictionary {table.name!r} at {table.site}, which is not among the "
                f"{len(self.of(ScoredDictionary))} given: give it too."
            )
        return found

    def label_of(self, name: str, site: str, feature: int) -> str:
        """Return the good label of a feature, or nothing where it has none or none was searched."""
        searched = (study.value.labels for study in self.of(LabelStudy))
        return next((each.good(feature) for each in searched if (each.name, each.site) == (name, site)), "")

    def gate_of(self, name: str, site: str) -> str:
        """Return the verdict on a dictionary, such as `passes`; one that the study does not hold is not judged."""
        found = self._scored(name, site)
        return "not judged: not among the dictionaries of this study" if found is None else str(verdict_of(found.score))

    def _scored(self, name: str, site: str) -> ScoredDictionary | None:
        scored = (each.value for each in self.of(ScoredDictionary))
        return next((each for each in scored if (each.dictionary.name, each.dictionary.site) == (name, site)), None)

    @property
    def env_id(self) -> str:
        """The world."""
        return self.demonstrations.value.env_id

    @cached_property
    def tried_on(self) -> Trajectories:
        """Where the steps lie that the equivalence report names: the demonstrations, or plays of their world.

        Its frame table begins with that of the demonstrations.
        """
        report = self.equivalence.value
        return tried_on(report.config, report.moves, self.demonstrations.value)

    @property
    def n_parameters(self) -> int:
        """Trained numbers of the model, as its artefact records them."""
        return sum(tensor.numel() for tensor in self.model.artefact.tensors.values())

    @property
    def calibration(self) -> Mapping[str, Sequence[CalibrationPoint]]:
        """What the model achieves for each return asked of it, by sampler; empty where it was never calibrated."""
        return recorded_calibration(self.model.artefact)

    @property
    def calibrated(self) -> CalibratedRange | None:
        """The ends of the calibration by its first sampler; None where the model was never calibrated."""
        return next((CalibratedRange(name, *extremes(points)) for name, points in self.calibration.items()), None)

    @cached_property
    def demonstrated(self) -> Quality:
        """What the demonstrations are worth as data; judged anew, since artefacts of older versions record less."""
        return quality(self.demonstrations.value)

    @property
    def demonstrator(self) -> Mapping[str, Evaluation]:
        """How the agent fares in fresh episodes, by sampler; empty where its artefact records nothing."""
        recorded = self.agent.artefact.manifest.metrics
        judged = {name: value for name, value in recorded.items() if name != TRAINING}
        return TypeAdapter(dict[str, Evaluation]).validate_python(judged)
