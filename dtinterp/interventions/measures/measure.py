"""What every measure offers: a number a window, of the logits of its last decision."""

from abc import abstractmethod

from jaxtyping import Float32
from torch import Tensor

from dtinterp.foundation.errors import UserError, nearest
from dtinterp.foundation.specifications import Data
from environments.vocabulary import ACTIONS

Logits = Float32[Tensor, "dose window action"]


class Measure(Data):
    """A number a window, whose change an edit is judged by."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is called in tables, figures and sentences."""

    @abstractmethod
    def change(
        self, edited: Float32[Tensor, "dose window action"], untouched: Float32[Tensor, "window action"]
    ) -> Float32[Tensor, "dose window"]:
        """Return by how much the edit changes it, at each dose in each window."""

    @property
    def is_share(self) -> bool:
        """Whether it is 0 or 1 in each window."""
        return False

    def require_windows(self, names: tuple[str, ...]) -> None:
        """Raise `UserError` where the measure is of other windows than these."""


def known_action(name: str) -> str:
    """Return the name of an action; raises ValueError, as pydantic wants it, where there is none such."""
    if name not in ACTIONS:
        raise ValueError(f"{name!r} is no action, expected one of {', '.join(ACTIONS)}{nearest(name, ACTIONS)}")
    return name


def number_of_action(name: str, n_actions: int) -> int:
    """Return an action's number. Raises `UserError` where a model does not know it."""
    number = ACTIONS.index(name)
    if number >= n_actions:
        raise UserError(f"the model knows the actions {', '.join(ACTIONS[:n_actions])}, not {name}: measure others.")
    return number
