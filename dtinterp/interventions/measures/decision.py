"""Whether the decision becomes another one, and how far the policy moves."""

import math
from typing import Literal

from jaxtyping import Float32
from torch import Tensor

from dtinterp.interventions.measures.logit_difference import Action
from dtinterp.interventions.measures.measure import Measure, number_of_action

FLIPPED = "decision flipped"
BITS = 1 / math.log(2)


class DecisionFlip(Measure):
    """1 where the likeliest action is another one than untouched."""

    flip: Literal["any"] | Action
    """any other action, or this one"""

    @property
    def title(self) -> str:
        """What it is called."""
        return FLIPPED if self.flip == "any" else f"{FLIPPED} to {self.flip}"

    @property
    def is_share(self) -> bool:
        """It is 0 or 1."""
        return True

    def change(
        self, edited: Float32[Tensor, "dose window action"], untouched: Float32[Tensor, "window action"]
    ) -> Float32[Tensor, "dose window"]:
        """Return 1 where the decision is another one."""
        decided = edited.argmax(dim=-1)
        is_other = decided != untouched.argmax(dim=-1)
        if self.flip != "any":
            is_other &= decided == number_of_action(self.flip, edited.shape[-1])
        return is_other.float()


class Divergence(Measure):
    """KL(untouched ‖ edited) of the action's distribution at temperature 1, in bits."""

    kl: Literal["bits"]

    @property
    def title(self) -> str:
        """What it is called."""
        return "KL (bits)"

    def change(
        self, edited: Float32[Tensor, "dose window action"], untouched: Float32[Tensor, "window action"]
    ) -> Float32[Tensor, "dose window"]:
        """Return the divergence, 0 at least."""
        own, other = untouched.log_softmax(-1), edited.log_softmax(-1)
        return ((own.exp() * (own - other)).sum(dim=-1) * BITS).clamp(min=0)
