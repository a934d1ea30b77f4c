"""The specification of an instruction flip, as its experiment.yaml gives it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

from dtinterp.demonstrations.samplers import parse_sampler
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import LARGEST, LARGEST_SEED
from dtinterp.foundation.specifications import Data, distinct, read_yaml
from dtinterp.interventions.instruction_flip.directions import Recipe
from dtinterp.interventions.instruction_flip.rivals import Family, Other
from environments.registration import require_supported
from environments.vocabulary import VIEW


def _supported_world(env_id: str) -> str:
    require_supported(env_id)
    return env_id


def _known_sampler(text: str) -> str:
    try:
        parse_sampler(text)
    except UserError as mistake:
        raise ValueError(str(mistake)) from None  # pydantic gathers ValueErrors only
    return text


Count = Annotated[StrictInt, Field(ge=1, le=LARGEST)]
Number = Annotated[StrictFloat, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]
Coordinate = Annotated[StrictInt, Field(ge=0, lt=VIEW)]
Cells = Annotated[tuple[tuple[Coordinate, Coordinate], ...], Field(min_length=1), AfterValidator(distinct)]


class ClosedLoopSpecification(Data):
    """How patched models are played."""

    samplers: Annotated[
        tuple[Annotated[StrictStr, AfterValidator(_known_sampler)], ...],
        Field(min_length=1),
        AfterValidator(distinct),
    ]
    """how actions are drawn, such as greedy or temperature=1"""
    n_episodes: Count
    """episodes of each arm; a greedy player's count once for each distinct start"""
    n_draws: Count
    """how many of the random directions are played"""


class Specification(Data):
    """An instruction-flip experiment, all of it."""

    world: Annotated[StrictStr, AfterValidator(_supported_world)]
    """environment id"""
    target_return: Annotated[StrictFloat, Field(ge=0, le=1)]
    """return-to-go that the model is asked for"""
    site: StrictStr
    """where rows are edited, at the token of the first frame"""
    direction: Recipe
    """how the instruction's direction is found"""
    cells: Cells
    """cells (x, y) whose key and ball items give the direction"""
    unit: Literal["instruction", "activation"]
    """of coefficients: activation units, or the instruction's own, in which a first frame with a key holds 1 on average
    and one with a ball −1"""
    coefficients: Annotated[tuple[Number, ...], Field(min_length=1), AfterValidator(distinct)]
    """what the direction is set to; positive is key"""
    strength: Annotated[Number, Field(gt=0)]
    """the coefficient, up to sign, at which turns are counted and episodes played"""
    decoys: Annotated[tuple[Cells, ...], AfterValidator(distinct)]
    """sets of cells where the complement object is added to the first frame"""
    n_draws: Count
    """random directions"""
    rivals: Annotated[tuple[Family | Other, ...], AfterValidator(distinct)] = ()
    """what the direction is held against beside the whole sphere, each family by closed_loop.n_draws directions"""
    closed_loop: ClosedLoopSpecification
    """how patched models are played"""
    seed: Annotated[StrictInt, Field(ge=0, le=LARGEST_SEED)]
    """of random directions, starts and sampled actions"""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Specification":
        if not {self.strength, -self.strength} <= set(self.coefficients):
            raise ValueError(f"the coefficients lack {self.strength:g} or {-self.strength:g}, the strength both ways")
        if self.closed_loop.n_draws > self.n_draws:
            raise ValueError(f"closed_loop.n_draws is {self.closed_loop.n_draws}, more than n_draws ({self.n_draws})")
        return self


def read_specification(path: Path) -> Specification:
    """Read and check an experiment.yaml. Raises `UserError` for the first thing that is wrong with it."""
    return read_yaml(path, Specification, name="experiment.yaml")
