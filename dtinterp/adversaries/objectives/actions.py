"""Objectives at the logits: the sign of a difference of two, or the action that is chosen."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dtinterp.adversaries.edited_window import EditedWindow
from dtinterp.adversaries.objectives.objective import LogitObjective
from environments.vocabulary import ACTIONS


@dataclass(frozen=True)
class FlipLogits(LogitObjective):
    """The sign of logit(first) − logit(second): whatever is higher of the two shall be lower."""

    first: int
    second: int

    @property
    def title(self) -> str:
        """Name the two."""
        return f"logit({ACTIONS[self.first]}) − logit({ACTIONS[self.second]}) changes its sign"

    def of_logits(self, window: EditedWindow, logits: Float[Tensor, "batch action"]) -> Float[Tensor, " batch"]:
        """Return the difference, with the sign that it has as things are."""
        sign = 1 if window.original[self.first] >= window.original[self.second] else -1
        return sign * (logits[:, self.first] - logits[:, self.second])


@dataclass(frozen=True)
class FlipAction(LogitObjective):
    """The likeliest action: another one shall be likelier than it, or a certain other one."""

    wanted: int | None = None
    """None: any other"""

    @property
    def title(self) -> str:
        """Name the action that is wanted."""
        wanted = "another action" if self.wanted is None else ACTIONS[self.wanted]
        return f"{wanted} is likelier than the action chosen"

    def of_logits(self, window: EditedWindow, logits: Float[Tensor, "batch action"]) -> Float[Tensor, " batch"]:
        """Return how far the logit of the action chosen as things are is above that of the others, or the wanted."""
        chosen = int(window.original.argmax())
        others = torch.arange(logits.shape[1]) != chosen
        if self.wanted is not None:
            others &= torch.arange(logits.shape[1]) == self.wanted
        return logits[:, chosen] - logits[:, others].max(1).values
