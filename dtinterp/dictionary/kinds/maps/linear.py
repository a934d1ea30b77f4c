"""The least-squares map: what of a layer is linear."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.codes import Codes
from dtinterp.dictionary.kinds.computed import ComputedKind
from dtinterp.dictionary.kinds.kind import Weights
from dtinterp.dictionary.rows.batches import Batch

RIDGE = 1e-6
"""Share of the mean input variance that is added to each direction's: what has no data maps to nothing."""


@dataclass(frozen=True)
class Linear(ComputedKind):
    """The least-squares map `y' = x W_skip + b_dec`: what of the outputs is linear in the inputs; it has no feature."""

    has_skip: ClassVar[bool] = True

    def n_features(self, width: int) -> int:
        """Return 0."""
        del width
        return 0

    def check_width(self, width: int) -> None:
        """Accept any: there is no feature."""

    def title(self, width: int) -> str:
        """Name nothing else."""
        del width
        return "linear"

    def encode(self, centred: Float32[Tensor, "row d_in"], weights: Mapping[str, Tensor]) -> Codes:
        """Return no feature."""
        del weights
        nothing = centred.new_zeros(len(centred), 0)
        return Codes(nothing.long(), nothing)

    def compute(self, batch: Batch, *, width: int, generator: torch.Generator) -> Weights:
        """Return `least_squares`."""
        del width, generator
        return least_squares(batch)


def least_squares(batch: Batch) -> Weights:
    """Return the map from what is read to what is written; a ridge stands in for a rank, so that the mean is exact."""
    x, y, weight = batch.read.rows.double(), batch.written.rows.double(), batch.weight.double()
    mean = weight @ y
    gram = x.T @ (weight[:, None] * x)  # d_in d_in
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64, device=gram.device)
    W_skip = torch.linalg.solve(gram + ridge, x.T @ (weight[:, None] * (y - mean)))
    none = batch.rows.new_zeros
    return {
        "W_enc": none(x.shape[1], 0),
        "b_enc": none(0),
        "W_dec": none(0, y.shape[1]),
        "b_dec": mean.float(),
        "W_skip": W_skip.float(),
    }
