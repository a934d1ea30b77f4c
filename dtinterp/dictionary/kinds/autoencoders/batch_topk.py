"""BatchTopK autoencoders: a batch keeps k pre-activations a row on average."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from dtinterp.dictionary.batched.losses import Loss, LossInputs, activity, revival
from dtinterp.dictionary.batched.parameters import Parameters
from dtinterp.dictionary.kinds.kind import Weights
from dtinterp.dictionary.kinds.learned import LearnedWithK
from dtinterp.dictionary.rows.batches import Batch

ROUNDING = 1e-6
"""Share by which a weighted count may seem too large because weights are rounded."""
N_HALVINGS = 26
"""Rounds of bisection for a batch's threshold: as fine as float32 is."""


@dataclass(frozen=True)
class BatchSelected(LearnedWithK):
    """A kind whose codes are selected over the batch, and afterwards by one threshold."""

    has_threshold: ClassVar[bool] = True
    saelens: ClassVar[str | None] = "jumprelu"

    @abstractmethod
    def prefixes(self, width: int) -> tuple[int, ...]:
        """Return how many of the first features must do without the others, smallest first."""

    def loss(self, given: LossInputs) -> Loss:
        """Return the mean over prefixes of the error as a share of the variance, plus the auxiliary loss.

        The code is selected over the batch; the error of a prefix is that of the code's first features alone. One
        prefix, all features, is BatchTopK (Bussmann et al. 2024, §3); nested ones are Matryoshka (Bussmann et al. 2025,
        §3).
        """
        parameters, batch = given.parameters, given.batch
        found = parameters.activation(batch.rows).relu()  # member row feature
        threshold = batch_threshold(found.detach(), batch, given.column("k"))
        code = found.where(found > threshold[:, None, None], 0.0)
        remainder = batch.rows - parameters.b_dec[:, None]  # member row d_model
        errors, start = [], 0
        for end in self.prefixes(parameters.W_dec.shape[1]):
            remainder = remainder - code[:, :, start:end] @ parameters.W_dec[:, start:end]
            errors.append(batch.mean(remainder.square().sum(dim=2)))
            start = end
        total = torch.stack(errors).mean(dim=0) / batch.spread
        total = total + revival(given, remainder.detach())
        return Loss(total, errors[-1].detach(), *activity(code, batch), threshold)

    def finish(self, parameters: Parameters, threshold: Float32[Tensor, " member"]) -> Weights:
        """Return the weights, with the running threshold for all features."""
        return {**parameters.weights, "threshold": threshold[:, None].expand_as(parameters.b_enc)}


@dataclass(frozen=True)
class BatchTopK(BatchSelected):
    """An autoencoder that keeps the k largest pre-activations a row on average, so that hard rows may use more.

    In training `z = a [a > t]`, with t >= 0 the value above which the batch has k activations a row; afterwards t is
    one fixed threshold, the running mean of those of the batches. Decoder rows have unit norm; loss and revival are
    TopK's. Bussmann, Leask & Nanda 2024, arXiv:2412.06410, §3.
    """

    k: int = 8
    """how many features a row uses on average, 1 to the width"""

    def title(self, width: int) -> str:
        """Name width and k."""
        return f"batchtopk-{width}-k{self.k}"

    def prefixes(self, width: int) -> tuple[int, ...]:
        """Return the whole width."""
        return (width,)


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
