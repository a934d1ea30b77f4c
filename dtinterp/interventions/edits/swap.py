"""Swap: a part of each row becomes what it is in another window."""

from pydantic import Field, StrictStr

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.edits.ablate import values_in_windows
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.edits.specification import Dosed, EditData
from dtinterp.interventions.parts import What
from dtinterp.interventions.places import At


class Swap(EditData):
    """Take a part from another window."""

    what: What = Field(alias="swap")
    at: At
    other: StrictStr | tuple[StrictStr, ...] = Field(alias="with")
    """name of a window for all, or one name a window"""

    def bound(self, names: Bindings) -> Dosed:
        """Return what it comes to. Raises `UserError` where there are not as many names as windows."""
        part = self.at.narrowed(self.what.part(names), names.model)
        values = values_in_windows(part, self.at, names)
        if isinstance(self.other, str):
            value = values[names.window(self.other)][None, None]
        else:
            if len(self.other) != len(names.names):
                raise UserError(
                    f"with names {len(self.other)} windows for {len(names.names)}: name one a window, or one."
                )
            value = values[[names.window(name) for name in self.other]][None]
        return Dosed(self.at, part, Setting, {"to": value})
