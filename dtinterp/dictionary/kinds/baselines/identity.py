"""The identity: each coordinate is a feature."""

from dataclasses import dataclass

import torch

from dtinterp.dictionary.kinds.computed import ComputedKind, linear
from dtinterp.dictionary.kinds.kind import Weights
from dtinterp.dictionary.rows.batches import Batch


@dataclass(frozen=True)
class Identity(ComputedKind):
    """Each coordinate is a feature, so nothing is lost: the basis in which the network writes its numbers."""

    def title(self, width: int) -> str:
        """Name nothing else."""
        del width
        return "identity"

    def compute(self, batch: Batch, *, width: int, generator: torch.Generator) -> Weights:
        """Return the coordinates."""
        del width, generator
        eye = torch.eye(batch.rows.shape[1], device=batch.rows.device)
        return linear(eye, eye, batch)
