"""How directions are found. A new way is a file here, and its place in `DirectionSpec`."""

from typing import Annotated, TypeAlias

from pydantic import Field

from dtinterp.interventions.directions.component import ComponentDirection
from dtinterp.interventions.directions.das import DasDirection
from dtinterp.interventions.directions.difference import DifferenceDirection
from dtinterp.interventions.directions.feature import FeatureDirection
from dtinterp.interventions.directions.from_file import FileDirection
from dtinterp.interventions.directions.probe import ProbeDirection
from dtinterp.interventions.directions.random_span import RandomDirection

DirectionSpec: TypeAlias = Annotated[
    ComponentDirection
    | FeatureDirection
    | DifferenceDirection
    | ProbeDirection
    | DasDirection
    | FileDirection
    | RandomDirection,
    Field(discriminator="kind"),
]
"""Directions as an experiment's file names them, by their `kind`."""
