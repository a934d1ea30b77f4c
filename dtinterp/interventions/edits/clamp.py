"""Clamp: a part of each row is kept within bounds."""

from dataclasses import dataclass

from jaxtyping import Float32
from pydantic import Field
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.amounts import HowMuch
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.edits.edit import Amount, Edit, broadcast
from dtinterp.interventions.edits.specification import Dosed, EditData
from dtinterp.interventions.parts import What
from dtinterp.interventions.places import At


@dataclass(frozen=True)
class Clamping(Edit):
    """p ← min(max(p, low), high); a row that is within the bounds stays as it is."""

    low: Amount
    high: Amount

    def changed(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row column"]:
        """Return the rows, those outside the bounds moved to the nearer one."""
        there = self.part.read(rows)
        kept = there.clamp(broadcast(self.low, there), broadcast(self.high, there))
        return self.part.moved(rows, kept - there)


class Clamp(EditData):
    """Keep a part between two values."""

    what: What = Field(alias="clamp")
    at: At
    low: HowMuch = Field(alias="from")
    high: HowMuch = Field(alias="to")

    def bound(self, names: Bindings) -> Dosed:
        """Return what it comes to. Raises `UserError` where the bounds are the wrong way round."""
        part = self.at.narrowed(self.what.part(names), names.model)
        low, high = (each.bound(part, self.at, names) for each in (self.low, self.high))
        if len(low) > 1 and len(high) > 1 and len(low) != len(high):
            raise UserError(f"from has {len(low)} values and to has {len(high)}, expected equally many, or one.")
        if not (low <= high).all():
            raise UserError(f"from is {float(low.max()):g} and to is {float(high.min()):g}, expected from below to.")
        return Dosed(self.at, part, Clamping, {"low": low, "high": high})
