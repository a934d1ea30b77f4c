"""An experiment as its file says it: question, subject, windows, edits, measures, controls, what would refute it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, StrictStr, field_validator

from dtinterp.demonstrations.samplers import parse_sampler
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import LARGEST, LARGEST_SEED
from dtinterp.foundation.shipped import MODEL
from dtinterp.foundation.specifications import Data, distinct, read_yaml
from dtinterp.interventions.directions import DirectionSpec
from dtinterp.interventions.edits import AnyEdit
from dtinterp.interventions.edits.ablate import Ablate
from dtinterp.interventions.edits.set import Set
from dtinterp.interventions.edits.swap import Swap
from dtinterp.interventions.measures import AnyMeasure
from dtinterp.interventions.measures.decision import DecisionFlip
from dtinterp.interventions.measures.logit_difference import LogitDifference
from dtinterp.interventions.windows import WindowsSpec

MEASURES = (LogitDifference(logit_difference=("left", "right")), DecisionFlip(flip="any"))
"""Where a file names none."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[StrictInt, Field(ge=0, le=LARGEST)]
Seed = Annotated[StrictInt, Field(ge=0, le=LARGEST_SEED)]


def _known_sampler(text: str) -> str:
    try:
        parse_sampler(text)
    except UserError as mistake:
        raise ValueError(str(mistake)) from None  # pydantic gathers ValueErrors only
    return text


def _of_kind(said: Any) -> Any:
    return {"kind": said} if isinstance(said, str) else said


class Studied(Data):
    """What is intervened on."""

    model: StrictStr = str(MODEL)
    """folder of a trained model"""
    demonstrations: StrictStr | None = None
    """folder of demonstrations; by default those that the model records"""
    dictionaries: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    """folders of dictionaries by the name that edits call them by; {model} in one stands for the name of the model"""

    def folders(self) -> Mapping[str, Path]:
        """Return the folders of the dictionaries."""
        return {name: Path(path.replace("{model}", Path(self.model).name)) for name, path in self.dictionaries.items()}


class Controls(Data):
    """What the edit is held against; all of them unless they are turned off."""

    matched_features: Count = 19
    """other features of the dictionary, nearest in frequency and decoder norm, edited alike"""
    random_directions: Count = 99
    """directions in the span of what differs between windows, orthogonal to the edit's own, moved as far"""
    wrong_sign: StrictBool = True
    """as far the other way"""
    other_slots: StrictBool = True
    """the same edit at each of the other slots that all windows have"""
    untrained: StrictBool = True
    """the same edit in a model of the same shape that never saw a window"""


class Played(Data):
    """How whole episodes are played under the edit, at every step for which its slot is in the window."""

    episodes: Annotated[StrictInt, Field(ge=1, le=100_000)] = 200
    """of each arm; of a greedy player those count that begin differently"""
    samplers: Annotated[
        tuple[Annotated[StrictStr, AfterValidator(_known_sampler)], ...], Field(min_length=1), AfterValidator(distinct)
    ] = ("greedy", "temperature=1")
    """how actions are drawn"""
    target_return: Share = 0.892
    """the return that is asked for"""
    controls: Count = 10
    """arms of each family of controls that are played, too"""


class RefutedIf(Data):
    """What speaks against the claim that the edit does what it measures; every rule that is met is told."""

    control_reaches: StrictBool = True
    """a control moves a measure as far as the edit does"""
    p_above: Share = 0.05
    """a measure's p-value, by Holm's method over all measures, is above"""
    flipped_below: Share | None = None
    """a smaller share of windows than this is decided otherwise"""
    other_target_below: Share | None = None
    """a smaller share of episodes than this ends at the other target, under any sampler"""


class Experiment(Data):
    """An experiment, all of it."""

    question: Annotated[StrictStr, Field(min_length=1)]
    """in a sentence"""
    subject: Studied = Field(default_factory=Studied)
    windows: Annotated[WindowsSpec, BeforeValidator(_of_kind)]
    """which windows are edited"""
    directions: dict[StrictStr, DirectionSpec] = Field(default_factory=dict)
    """directions by the name that edits call them by, and how each is found"""
    edits: Annotated[tuple[AnyEdit, ...], Field(min_length=1)]
    """what is done, in order"""
    measure: Annotated[tuple[AnyMeasure, ...], Field(min_length=1), AfterValidator(distinct)] = MEASURES
    """what it is judged by; the change at the last dose is what claims are about"""
    controls: Controls = Field(default_factory=Controls)
    closed_loop: Played | None = None
    """whole episodes, too"""
    refuted_if: RefutedIf = Field(default_factory=RefutedIf)
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(distinct)] = (0,)
    """of random directions and episodes; windows are chosen by the first"""

    @field_validator("edits")
    @classmethod
    def _agree(cls, edits: tuple[AnyEdit, ...]) -> tuple[AnyEdit, ...]:
        """Refuse an edit whose effect a later one of the same part at the same place overwrites."""
        places = [(each.what, each.at) for each in edits if isinstance(each, Set | Ablate | Swap)]
        for what, at in places:
            if places.count((what, at)) > 1:
                raise ValueError(f"{what.said} at {at.site} is set twice, and the last one wins: keep one of them")
        return edits

    @field_validator("measure", mode="before")
    @classmethod
    def _listed(cls, said: Any) -> Any:
        return said if isinstance(said, list | tuple) else (said,)


def read_experiment(path: Path) -> Experiment:
    """Read and check an experiment's file. Raises `UserError` for the first thing that is wrong with it."""
    return read_yaml(path, Experiment, name="experiment.yaml")
