"""How much a part is edited by: a value or several in turn, in units, or what the part is in some frame."""

from typing import Annotated, Any, Literal, TypeAlias

import torch
from jaxtyping import Float32
from pydantic import Field, StrictInt, model_serializer, model_validator
from torch import Tensor

from dtinterp.dataset.windows import window
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import LARGEST
from dtinterp.foundation.specifications import Data
from dtinterp.interventions.bindings import Bindings, rows_at
from dtinterp.interventions.parts.part import Part
from dtinterp.interventions.places import At
from dtinterp.interventions.slots import last_frame

Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]
MOST_STEPS = 1001
"""Values of a sweep."""
N_OF_FRAME = 64
"""Windows that end in a frame, over which what a part is there is averaged."""


class HowMuch(Data):
    """One value, or several that are tried in turn.

    In a file a number, a list of numbers, {from: 0, to: 5, steps: 11}, {unit: sd, values: [-2, 2]}, or
    {as_in_frame: 12}.
    """

    values: tuple[Number, ...] = ()
    low: Number | None = Field(default=None, alias="from")
    high: Number | None = Field(default=None, alias="to")
    steps: Annotated[StrictInt, Field(ge=2, le=MOST_STEPS)] | None = None
    unit: Literal["activation", "sd"] = "activation"
    """of values: those of the part, or its own standard deviations over training windows, counted from its mean"""
    as_in_frame: Annotated[StrictInt, Field(ge=0)] | None = None
    """what the part is where the newest frame is this one of the demonstrations' frame table, on average"""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, said: Any) -> Any:
        if isinstance(said, int | float) and not isinstance(said, bool):
            return {"values": (said,)}
        return {"values": tuple(said)} if isinstance(said, list | tuple) else said

    @model_validator(mode="after")
    def _is_one(self) -> "HowMuch":
        sweep = (self.low, self.high, self.steps)
        is_sweep = any(each is not None for each in sweep)
        if is_sweep and None in sweep:
            raise ValueError("a sweep needs from, to and steps, all three")
        if sum([bool(self.values), is_sweep, self.as_in_frame is not None]) != 1:
            raise ValueError(
                "an amount is a number, a list of them, a sweep (from, to, steps) or as_in_frame, one of these"
            )
        if self.unit == "sd" and self.as_in_frame is not None:
            raise ValueError("as_in_frame is in units of activation")
        return self

    @model_serializer(mode="plain")
    def _shortened(self) -> Any:
        if self.as_in_frame is not None:
            return {"as_in_frame": self.as_in_frame}
        unit = {} if self.unit == "activation" else {"unit": self.unit}
        if self.steps is not None:
            return {"from": self.low, "to": self.high, "steps": self.steps, **unit}
        if unit:
            return {**unit, "values": [*self.values]}
        return self.values[0] if len(self.values) == 1 else [*self.values]

    def doses(self) -> tuple[float, ...] | None:
        """Return the values as they are written; None where they are what the part is in a frame."""
        if self.steps is None:
            return self.values or None
        assert self.low is not None, "a sweep has all three"
        assert self.high is not None, "a sweep has all three"
        return tuple(torch.linspace(self.low, self.high, self.steps, dtype=torch.float64).tolist())

    def bound(self, part: Part, at: At, names: Bindings, *, is_change: bool = False) -> Float32[Tensor, "dose 1 _"]:
        """Return the amounts in activation units; the mean is not counted in those that change what is there."""
        doses = self.doses()
        if doses is None:
            return self._in_frame(part, names, at)[None, None]
        values = torch.tensor(doses, dtype=torch.float32)[:, None, None]  # dose 1 1
        if self.unit == "activation":
            return values
        there = part.read(names.reference_rows(at.site, at.slots, at.token).value)  # row coordinate
        spread = there.std(dim=0)
        if there.shape[1] != 1 or not float(spread) > 0:
            raise UserError(
                f"a part of {there.shape[1]} numbers with standard deviation {float(spread.mean()):.3g} at {at.site} "
                "has no unit sd: give values in units of activation."
            )
        return values * spread + (0.0 if is_change else there.mean(dim=0))

    def _in_frame(self, part: Part, names: Bindings, at: At) -> Float32[Tensor, " coordinate"]:
        subject, frame = names.subject, self.as_in_frame
        assert frame is not None, "asked for values that are written"
        n_frames = len(subject.trajectories.frames)
        if frame >= n_frames:
            raise UserError(f"there is no frame {frame}, expected 0 to {n_frames - 1}: {names.subject} has no more.")
        steps = (subject.trajectories.frame_id == frame).nonzero()[:N_OF_FRAME, 0]
        shown = window(subject.trajectories, steps, names.model.cfg.n_slots)
        found = rows_at(names.model, shown, subject.items, (at.site, last_frame, at.token))
        if not len(found.value):
            raise UserError(f"frame {frame} has no {at.token} token of its own in a window: take another token.")
        return part.of_rows(found.window).read(found.value).mean(dim=0)
