"""Scale: a part of each row is multiplied."""

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
class Scaling(Edit):
    """p ← c p."""

    by: Amount
    """c"""

    def changed(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row column"]:
        """Return the rows moved by (c − 1) p."""
        there = self.part.read(rows)
        return self.part.moved(rows, (broadcast(self.by, there) - 1) * there)


class Scale(EditData):
    """Multiply a part."""

    what: What = Field(alias="scale")
    at: At
    by: HowMuch

    def bound(self, names: Bindings) -> Dosed:
        """Return what it comes to. Raises `UserError` for factors in standard deviations."""
        if self.by.unit == "sd":
            raise UserError("a factor has no unit, and by is in sd: give plain numbers.")
        part = self.at.narrowed(self.what.part(names), names.model)
        return Dosed(self.at, part, Scaling, {"by": self.by.bound(part, self.at, names)})
