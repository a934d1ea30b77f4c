"""Given directions, such as those with which a model embeds items."""

from dataclasses import dataclass

import torch

from dtinterp.dictionary.kinds.computed import Pursued
from dtinterp.dictionary.kinds.kind import Weights
from dtinterp.dictionary.rows.batches import Batch
from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class Items(Pursued):
    """Directions given from outside, such as the columns with which a model embeds the items that it sees.

    Codes are orthogonal matching pursuit: k times, the direction that correlates most with what is left is taken up and
    all values are fitted anew by least squares; they have a sign (Pati, Rezaiifar & Krishnaprasad 1993).
    """

    k: int = 8
    """how many directions a row may use"""

    def title(self, width: int) -> str:
        """Name k."""
        del width
        return f"items-k{self.k}"

    def compute(self, batch: Batch, *, width: int, generator: torch.Generator) -> Weights:
        """Raise `UserError`: there is nothing to compute."""
        del batch, width, generator
        raise UserError("Items has no directions of its own: give them to `of_directions`.")
