"""Random directions: what a dictionary achieves that learned nothing."""

from dataclasses import dataclass

import torch

from dtinterp.dictionary.kinds.computed import Pursued, directed
from dtinterp.dictionary.kinds.kind import Weights
from dtinterp.dictionary.rows.batches import Batch


@dataclass(frozen=True)
class Random(Pursued):
    """Random unit directions, coded as `Items` are: what a dictionary achieves that learnt nothing."""

    k: int = 8
    """how many directions a row may use, 1 to the width"""

    def title(self, width: int) -> str:
        """Name width and k."""
        return f"random-{width}-k{self.k}"

    def compute(self, batch: Batch, *, width: int, generator: torch.Generator) -> Weights:
        """Return `width` random directions."""
        return directed(batch, torch.randn(width, batch.rows.shape[1], generator=generator).to(batch.rows.device))
