"""Pre-activations of a batch become the level above which a row has k of them on average."""

import torch
from jaxtyping import Float
from torch import Tensor

from dtinterp.dictionary.training.initialization import Batch

ROUNDING = 1e-6
"""Share by which a weighted count may seem too large because weights are rounded."""
N_HALVINGS = 26
"""Rounds of bisection for a batch's threshold: as fine as float32 is."""


def batch_threshold(
    activation: Float[Tensor, "member row feature"], batch: Batch, k: Float[Tensor, " member"]
) -> Float[Tensor, " member"]:
    """Return the smallest t >= 0 above which rows have k activations on weighted average, or fewer.

    For rows of equal weight just the `k n_rows` largest activations of the batch lie above it. It is found by
    bisection, which knows weights, needs no sort and treats all members at once.
    """
    most = k * (1 + ROUNDING)

    def n_above(level: Float[Tensor, " member"]) -> Float[Tensor, " member"]:
        return batch.mean((activation > level[:, None, None]).sum(dim=2).float())

    low = torch.zeros_like(k)
    high = activation.amax(dim=(1, 2))
    high = torch.where(n_above(low) <= most, 0.0, high)  # fewer than k a row are positive: all count
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        is_low = n_above(middle) > most
        low, high = torch.where(is_low, middle, low), torch.where(is_low, high, middle)
    return high
