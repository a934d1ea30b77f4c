"""The observations that are compared: the most visited ones."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.soundness import require_within
from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class ChosenFrames:
    """Frames in order of visits, and how much of the side they stand for."""

    frame_id: Int64[Tensor, " frame"]
    """rows of the trajectories' frame table"""
    n_visits: Int64[Tensor, " frame"]
    """steps of the side that show the frame"""
    n_steps: int
    """steps of the side"""
    n_distinct: int
    """distinct frames that the side shows"""

    def __post_init__(self) -> None:
        """Refuse frames that are in no table, and visits that are more than the steps."""
        require_within("the chosen frames", self.frame_id, 0, math.inf)
        require_within("the visits of a frame", self.n_visits, 0, self.n_steps)
        if not 0 < self.n_steps >= int(self.n_visits.sum()):
            raise ValueError(f"{int(self.n_visits.sum())} visits of {self.n_steps} steps are no share")

    @property
    def coverage(self) -> float:
        """The share of the side's steps that show a chosen frame."""
        return int(self.n_visits.sum()) / self.n_steps


def most_visited(
    trajectories: Trajectories, steps: Int64[Tensor, " side"], n_frames: int, *, n_known: int | None = None
) -> ChosenFrames:
    """Return the `n_frames` frames that `steps` show most often; all of them where there are no more.

    Only the first `n_known` of the table are chosen, where that is given. Of equally visited frames the first in the
    table is taken. Raises `UserError` where there are no steps.
    """
    if len(steps) == 0:
        raise UserError("the held-out side has no steps, so no observation can be chosen: hold out a larger share.")
    visits = torch.bincount(trajectories.frame_id[steps].long(), minlength=len(trajectories.frames))
    n_distinct = int((visits > 0).sum())
    known = visits[:n_known]
    chosen = known.argsort(descending=True, stable=True)[: min(n_frames, int((known > 0).sum()))]
    return ChosenFrames(chosen, visits[chosen], n_steps=len(steps), n_distinct=n_distinct)
