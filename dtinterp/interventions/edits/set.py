"""Set: a part of each row becomes what it is set to."""

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
class Setting(Edit):
    """p ← c; along a direction f of length 1 that is x + (c − x·f) f, and nothing orthogonal to f moves."""

    to: Amount
    """c"""

    def changed(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row column"]:
        """Return the rows moved by c − p."""
        there = self.part.read(rows)
        return self.part.moved(rows, broadcast(self.to, there) - there)


class Set(EditData):
    """Set a part to a value, or to several in turn."""

    what: What = Field(alias="set")
    at: At
    to: HowMuch

    def bound(self, names: Bindings) -> Dosed:
        """Return what it comes to."""
        part = self.at.narrowed(self.what.part(names), names.model)
        return Dosed(self.at, part, Setting, {"to": self.to.bound(part, self.at, names)})
