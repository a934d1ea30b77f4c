"""The difference of two actions' logits, and the share of it that an edit restores."""

from typing import Annotated, TypeAlias

import torch
from jaxtyping import Float32
from pydantic import AfterValidator, StrictStr, field_validator
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.measures.measure import Measure, known_action, number_of_action

Action: TypeAlias = Annotated[StrictStr, AfterValidator(known_action)]


class LogitDifference(Measure):
    """logit(a) − logit(b) at the last decision."""

    logit_difference: tuple[Action, Action]
    """two actions, such as [left, right]"""

    @field_validator("logit_difference")
    @classmethod
    def _are_two(cls, actions: tuple[str, str]) -> tuple[str, str]:
        if actions[0] == actions[1]:
            raise ValueError("an action stands there twice, expected two")
        return actions

    @property
    def title(self) -> str:
        """What it is called."""
        return "logit({}) − logit({})".format(*self.logit_difference)

    def of(self, logits: Float32[Tensor, "*batch action"]) -> Float32[Tensor, "*batch"]:
        """Return the difference."""
        first, second = (number_of_action(name, logits.shape[-1]) for name in self.logit_difference)
        return logits[..., first] - logits[..., second]

    def change(
        self, edited: Float32[Tensor, "dose window action"], untouched: Float32[Tensor, "window action"]
    ) -> Float32[Tensor, "dose window"]:
        """Return by how much it grows."""
        return self.of(edited) - self.of(untouched)


class Restored(Measure):
    """(LD_edit − LD_untouched) / (LD_other − LD_untouched): 1 where a window answers as another window does."""

    restored: tuple[Action, Action]
    """two actions"""
    other: tuple[StrictStr, ...]
    """for each window the name of the one it should answer like"""
    names: tuple[StrictStr, ...] = ()
    """of the windows, in order; known once they are chosen"""

    @property
    def title(self) -> str:
        """What it is called."""
        return "restored share of logit({}) − logit({})".format(*self.restored)

    def change(
        self, edited: Float32[Tensor, "dose window action"], untouched: Float32[Tensor, "window action"]
    ) -> Float32[Tensor, "dose window"]:
        """Return the share, 0 where both windows answer alike anyhow."""
        measure = LogitDifference(logit_difference=self.restored)
        there = measure.of(untouched)
        gap = there[[self.names.index(name) for name in self.other]] - there
        return torch.where(gap == 0, 0.0, (measure.of(edited) - there) / gap)

    def require_windows(self, names: tuple[str, ...]) -> None:
        """Raise `UserError` where it names other windows."""
        if len(self.other) != len(names) or not set(self.other) <= set(names):
            raise UserError(
                f"restored names {len(self.other)} others, expected one of {', '.join(names)} for each window."
            )
