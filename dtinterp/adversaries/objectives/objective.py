"""What every objective says of itself."""

from abc import ABC, abstractmethod

from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.adversaries.edited_window import EditedWindow

Added = Float32[Tensor, "batch real d_model"]


class Objective(ABC):
    """A number that a window has, above 0 as it is and below 0 once flipped."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What is to be flipped, in words."""

    @abstractmethod
    def values(self, window: EditedWindow, added: Added, first: Int64[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Return the number with this added to the embeddings of the observations; nothing before the slot `first`."""

    def slopes(self, window: EditedWindow) -> Float32[Tensor, "real d_model"] | None:
        """Return what the number rises by along each embedding where it is linear in all of them, else None."""
        del window
        return None


class LogitObjective(Objective):
    """An objective that the logits at the newest observation decide."""

    @abstractmethod
    def of_logits(self, window: EditedWindow, logits: Float[Tensor, "batch action"]) -> Float[Tensor, " batch"]:
        """Return the number that windows with these logits have."""

    def values(self, window: EditedWindow, added: Added, first: Int64[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Run the windows, what comes before the first edit computed once."""
        return self.of_logits(window, window.logits(added, first))
