"""Ablate: a part of each row becomes zero, its mean, or what it is in another window of the same kind."""

from typing import Literal

import torch
from jaxtyping import Float32, Int64
from pydantic import Field
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.edits.specification import Dosed, EditData
from dtinterp.interventions.parts import What
from dtinterp.interventions.parts.part import Part
from dtinterp.interventions.places import At


class Ablate(EditData):
    """Take a part away."""

    what: What = Field(alias="ablate")
    at: At
    to: Literal["zero", "mean", "resample"] = "zero"
    """0; the mean over training windows at the same place; or what another of the chosen windows has there"""

    def bound(self, names: Bindings) -> Dosed:
        """Return what it comes to."""
        part = self.at.narrowed(self.what.part(names), names.model)
        match self.to:
            case "zero":
                value = torch.zeros(1, 1, 1)
            case "mean":
                rows = names.reference_rows(self.at.site, self.at.slots, self.at.token)
                value = part.read(rows.value).mean(dim=0)[None, None]
            case _:
                value = values_in_windows(part, self.at, names)[_others(len(names.names), names)][None]
        return Dosed(self.at, part, Setting, {"to": value})


def values_in_windows(part: Part, at: At, names: Bindings) -> Float32[Tensor, "window coordinate"]:
    """Return what a part is in each chosen window. Raises `UserError` where one has no such slot, or several."""
    rows = names.rows(at.site, at.slots, at.token)
    counts = torch.bincount(rows.window, minlength=len(names.names))
    for name, count in zip(names.names, counts.tolist(), strict=True):
        if count != 1:
            raise UserError(
                f"window {name} has {count} slots {at.slot_name}, expected 1 to take values from: choose a slot that "
                "every window has once."
            )
    return part.in_windows(names.windows).of_rows(rows.window).read(rows.value)


def _others(n: int, names: Bindings) -> Int64[Tensor, " window"]:
    """Return another window for each: the next one in a random order."""
    if n < 2:
        raise UserError("there is 1 window, and resampling takes another one's value: choose more, or ablate to mean.")
    order = torch.randperm(n, generator=names.generator("resampling"))
    other = torch.empty_like(order)
    other[order] = order.roll(-1)
    return other
