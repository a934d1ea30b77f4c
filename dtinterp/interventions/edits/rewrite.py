"""Rewrite: encode a row, edit one feature's code, and put what the dictionary makes of it in the row's place."""

from pydantic import Field

from dtinterp.interventions.amounts import HowMuch
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.edits.specification import Dosed, EditData
from dtinterp.interventions.parts.code import Feature
from dtinterp.interventions.places import At


class Rewrite(EditData):
    """Set a feature by encode, edit, decode; what the dictionary does not explain of the row is lost."""

    what: Feature = Field(alias="rewrite")
    at: At
    to: HowMuch

    def bound(self, names: Bindings) -> Dosed:
        """Return what it comes to."""
        part = self.at.narrowed(self.what.rewritten(names), names.model)
        return Dosed(self.at, part, Setting, {"to": self.to.bound(part, self.at, names)})
