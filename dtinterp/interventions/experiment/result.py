"""What an experiment found: the change of each measure under each arm, whole episodes, and what is claimed of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float32
from torch import Tensor

from dtinterp.foundation.artefacts.codec import ArtefactKind
from dtinterp.foundation.artefacts.soundness import require_equally_many
from dtinterp.foundation.statistics import Interval
from dtinterp.interventions.experiment.playing import Loop
from dtinterp.interventions.experiment.specification import Experiment

SIGNIFICANT = 0.05
"""Largest chance, by Holm's method, at which an effect is called one."""


@dataclass(frozen=True)
class ArmChanges:
    """By how much an arm changes each measure."""

    family: str
    name: str
    changes: Float32[Tensor, "measure dose window"]


@dataclass(frozen=True)
class Claim:
    """What is claimed of one measure at the last dose, against all controls."""

    about: str
    """the measure, or how episodes end under a sampler"""
    effect: Interval
    """mean over windows of the size of the change, bootstrapped; of shares Wilson's"""
    largest_control: float
    reached_by: tuple[str, ...]
    """controls whose effect is as large"""
    n_controls: int
    p_value: float
    """largest chance that a random member of a family of controls does as much; 1 where none is random"""
    adjusted: float
    """the same by Holm's method over all claims"""

    @property
    def is_beyond_controls(self) -> bool:
        """Whether there is an effect that no control reaches."""
        return self.effect.estimate > 0 and not self.reached_by

    @property
    def sentence(self) -> str:
        """The claim in words: an effect that a control reaches is not called one."""
        said = f"{self.about}: {self.effect}"
        if not self.effect.estimate > 0:
            return f"{said}, no change."
        if not self.n_controls:
            return f"{said}, beside no control."
        if self.reached_by:
            n = len(self.reached_by)
            return f"{said}, no effect beyond controls, which {n} of {self.n_controls} reach ({self.reached_by[0]})."
        chance = f"p = {self.p_value:.3f}, {self.adjusted:.3f} by Holm's method"
        few = "" if self.adjusted <= SIGNIFICANT else ", not significant"
        return f"{said}, beyond all {self.n_controls} controls, the largest {self.largest_control:.3f} ({chance}{few})."


@dataclass(frozen=True)
class ExperimentResult:
    """What an experiment found."""

    experiment: Mapping[str, Any]
    """as its file says it"""
    model: str
    """name of the model that it was run on"""
    measures: tuple[str, ...]
    windows: tuple[str, ...]
    doses: tuple[float, ...]
    """as the file writes them; numbered where it writes none"""
    arms: tuple[ArmChanges, ...]
    """the edit first"""
    loops: tuple[Loop, ...]
    """none where no episodes were asked for"""
    side_effects: Mapping[str, Float32[Tensor, " feature"]]
    """for each dictionary the mean size of the change of each feature's code at the last dose, over all real slots"""
    explains: Mapping[str, Mapping[str, float]]
    """what is told of each direction that was found"""
    claims: tuple[Claim, ...]
    refuted_by: tuple[str, ...]
    """sentences; none where nothing speaks against the claim"""
    missing: tuple[str, ...]
    """families of controls that were asked for, and that the edit does not have"""

    def __post_init__(self) -> None:
        """Refuse changes of other measures, doses or windows."""
        for arm in self.arms:
            require_equally_many(measures=len(self.measures), changes=arm.changes.shape[0])
            require_equally_many(doses=len(self.doses), changes=arm.changes.shape[1])
            require_equally_many(windows=len(self.windows), changes=arm.changes.shape[2])

    @property
    def specification(self) -> Experiment:
        """The experiment."""
        return Experiment.model_validate(self.experiment)

    @property
    def verdict(self) -> str:
        """The verdict in a sentence."""
        if not any(claim.is_beyond_controls for claim in self.claims):
            return "No effect beyond controls."
        beyond = [claim for claim in self.claims if claim.is_beyond_controls and claim.adjusted <= SIGNIFICANT]
        if not beyond:
            return "No control reaches every effect, but none is significant after Holm's correction."
        names = ", ".join(claim.about for claim in beyond)
        rest = len(self.claims) - len(beyond)
        return f"An effect beyond controls on {names}" + (f"; none on {rest} other." if rest else ".")

    @property
    def in_words(self) -> str:
        """A paragraph that a stranger understands, with intervals."""
        return " ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        doses = self.doses
        span = f"at {len(doses)} doses from {doses[0]:g} to {doses[-1]:g}" if len(doses) > 1 else "at one dose"
        yield f"{self.model}, {len(self.windows)} windows, {span}; claims are about the last dose."
        yield from (claim.sentence for claim in self.claims)
        for family in self.missing:
            yield f"There are no controls of the family {family!r} for this edit."
        yield self.verdict


EXPERIMENT = ArtefactKind(
    "experiment",
    ExperimentResult,
    places={"claims": "metrics.claims", "refuted_by": "metrics.refuted_by"},
)
