"""Windows of episodes that training never saw, of which facts may be asked."""

from typing import Annotated, Literal

import torch
from pydantic import Field, StrictFloat, StrictInt

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import LARGEST
from dtinterp.foundation.seeding import generator
from dtinterp.interventions.windows.choice import WindowsChoice
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.interventions.windows.predicate import Where, agrees
from dtinterp.interventions.windows.recorded import recorded
from dtinterp.subject.subject import Subject


class HeldOutWindows(WindowsChoice):
    """Windows that end at steps of held-out episodes, drawn without replacement among those where the facts hold."""

    kind: Literal["held_out"] = "held_out"
    n: Annotated[StrictInt, Field(ge=1, le=LARGEST)] = 256
    """how many; fewer where there are fewer"""
    asked: Annotated[StrictFloat, Field(allow_inf_nan=False)] | None = None
    """the return asked for at each episode's start; none: what the episode returned"""

    def found(self, subject: Subject, seed: int) -> ChosenWindows:
        """Draw the windows. Raises `UserError` where no held-out step has such facts."""
        trajectories, steps = subject.trajectories, subject.split.held_out
        holds = agrees(trajectories.fact_table, trajectories.fact_names, self.where)  # situation
        steps = steps[holds[trajectories.fact_id[steps].long()]]
        if not len(steps):
            raise UserError(f"no held-out step has {_words(self.where)}: ask less of the facts.")
        drawn = steps[torch.randperm(len(steps), generator=generator(seed, "interventions/windows"))[: self.n]]
        return recorded(subject, trajectories, drawn, self.asked)


def _words(where: Where) -> str:
    return ", ".join(f"{name}: {value}" for name, value in where.items())
