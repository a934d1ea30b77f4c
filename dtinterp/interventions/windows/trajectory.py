"""A saved trajectory: the windows of one recorded episode, step by step."""

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field, StrictFloat, StrictInt

from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.windows.choice import WindowsChoice
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.interventions.windows.recorded import recorded
from dtinterp.subject.subject import Subject


class SavedTrajectory(WindowsChoice):
    """The windows that end at the steps of one episode, of the subject's demonstrations or of another recording."""

    kind: Literal["trajectory"] = "trajectory"
    path: Path | None = None
    """folder of a recording of the same world, as `dtinterp collect` writes it; none: the subject's demonstrations"""
    episode: Annotated[StrictInt, Field(ge=0)]
    """which episode, counted from 0"""
    asked: Annotated[StrictFloat, Field(allow_inf_nan=False)] | None = None
    """the return asked for at its start; none: what it returned"""

    def found(self, subject: Subject, seed: int) -> ChosenWindows:  # noqa: ARG002
        """Cut the windows. Raises `UserError` for another world, or an episode that is not there."""
        trajectories = subject.trajectories if self.path is None else load_trajectories(self.path)[0]
        if {*trajectories.env_ids} != {*subject.trajectories.env_ids}:
            raise UserError(
                f"{self.path} was recorded in {', '.join(trajectories.env_ids)}, the model is of "
                f"{', '.join(subject.trajectories.env_ids)}: give a recording of its world."
            )
        if self.episode >= trajectories.n_episodes:
            raise UserError(
                f"the episode is {self.episode}, expected 0 to {trajectories.n_episodes - 1}: there are no more."
            )
        first = int(trajectories.first_step[self.episode])
        steps = first + torch.arange(int(trajectories.length[self.episode]))
        found = recorded(subject, trajectories, steps, self.asked)
        return found if trajectories is subject.trajectories else found.over(subject.trajectories.frames)
