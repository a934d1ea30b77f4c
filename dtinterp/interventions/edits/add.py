"""Add: a part of each row moves by an amount."""

from dataclasses import dataclass

from jaxtyping import Float32
from pydantic import Field
from torch import Tensor

from dtinterp.interventions.amounts import HowMuch
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.edits.edit import Amount, Edit, broadcast
from dtinterp.interventions.edits.specification import Dosed, EditData
from dtinterp.interventions.parts import What
from dtinterp.interventions.places import At


@dataclass(frozen=True)
class Adding(Edit):
    """p ← p + c."""

    by: Amount
    """c"""

    def changed(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row column"]:
        """Return the rows moved by c."""
        return self.part.moved(rows, broadcast(self.by, self.part.read(rows)))


class Add(EditData):
    """Add to a part."""

    what: What = Field(alias="add")
    at: At
    by: HowMuch

    def bound(self, names: Bindings) -> Dosed:
        """Return what it comes to."""
        part = self.at.narrowed(self.what.part(names), names.model)
        return Dosed(self.at, part, Adding, {"by": self.by.bound(part, self.at, names, is_change=True)})
