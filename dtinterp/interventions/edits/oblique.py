"""Oblique: set a feature or direction that is not orthogonal to others, so that what is read of the others stays."""

from pydantic import Field

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.amounts import HowMuch
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.edits.specification import Dosed, EditData
from dtinterp.interventions.parts import What
from dtinterp.interventions.parts.along import Direction
from dtinterp.interventions.parts.code import Feature
from dtinterp.interventions.places import At


class Oblique(EditData):
    """Set a part along its dual vector, which no other feature or direction notices."""

    what: What = Field(alias="oblique")
    at: At
    to: HowMuch

    def bound(self, names: Bindings) -> Dosed:
        """Return what it comes to. Raises `UserError` where the part has no others beside it."""
        if not isinstance(self.what, Feature | Direction):
            raise UserError(
                "an oblique edit is of {feature: N} or {direction: NAME, beside: [NAMES]}: give one of these."
            )
        part = self.at.narrowed(self.what.oblique(names), names.model)
        return Dosed(self.at, part, Setting, {"to": self.to.bound(part, self.at, names)})
