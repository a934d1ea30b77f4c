"""What every way to choose windows offers: facts that are asked of them, and edits of their frames."""

from abc import ABC, abstractmethod

from pydantic import Field

from dtinterp.foundation.specifications import Data
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.interventions.windows.frame_edits import FrameEdit, edited
from dtinterp.interventions.windows.predicate import Where, agrees
from dtinterp.subject.subject import Subject


class WindowsChoice(Data, ABC):
    """A way to choose windows; each kind is a class in a file of its own, with a literal `kind`."""

    where: Where = Field(default_factory=dict)
    """facts that must hold at the newest frame, such as {instruction: key, x: [4, 5]}"""
    edited: tuple[FrameEdit, ...] = ()
    """what is put or moved in the frames, in order"""

    def choose(self, subject: Subject, seed: int) -> ChosenWindows:
        """Return the windows, edited; the same seed chooses the same.

        Raises `UserError` where there are none, or an edit cannot be made.
        """
        found = self.found(subject, seed)
        return edited(found.only(agrees(found.facts, found.fact_names, self.where)), self.edited)

    @abstractmethod
    def found(self, subject: Subject, seed: int) -> ChosenWindows:
        """Return windows of this kind; `where` and `edited` are seen to by `choose`."""
