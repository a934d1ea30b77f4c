"""In which windows an intervention is made. A new way to choose them is a file here, and its place in `WindowsSpec`."""

from typing import Annotated, TypeAlias

from pydantic import Field

from dtinterp.interventions.windows.decision_points import DecisionPoints
from dtinterp.interventions.windows.held_out import HeldOutWindows
from dtinterp.interventions.windows.plays import ScriptedPlays
from dtinterp.interventions.windows.trajectory import SavedTrajectory

WindowsSpec: TypeAlias = Annotated[
    DecisionPoints | ScriptedPlays | HeldOutWindows | SavedTrajectory, Field(discriminator="kind")
]
"""Windows as an experiment's file names them, by their `kind`."""
