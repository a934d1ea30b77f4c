"""A batch of rows becomes the loss that an autoencoder descends, one formula for each kind."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor
from torch.nn.functional import embedding_bag

AUXILIARY_COEFFICIENT = 1 / 32
"""Weight of the loss that revives silent features (Gao et al. 2024, appendix A.2)."""


@dataclass(frozen=True)
class Batch:
    """Normalised rows and how much each counts; the weights sum to one."""

    rows: Float32[Tensor, "row d_model"]
    weight: Float32[Tensor, " row"]

    def mean(self, values: Float[Tensor, " row"]) -> Float[Tensor, ""]:
        """Return the weighted mean of one value per row."""
        return self.weight @ values


@dataclass(frozen=True)
class Parameters:
    """What gradient descent changes, in place."""

    W_enc: Float32[Tensor, "d_model feature"]
    b_enc: Float32[Tensor, " feature"]
    W_dec: Float32[Tensor, "feature d_model"]
    b_dec: Float32[Tensor, " d_model"]

    @property
    def tensors(self) -> list[Tensor]:
        """All of them, as an optimiser takes them."""
        return [self.W_enc, self.b_enc, self.W_dec, self.b_dec]

    def activation(self, rows: Float32[Tensor, "row d_model"]) -> Float[Tensor, "row feature"]:
        """Return `(x - b_dec) W_enc + b_enc`."""
        return torch.addmm(self.b_enc, rows - self.b_dec, self.W_enc)

    @torch.no_grad()
    def with_unit_decoder(self) -> "Parameters":
        """Return the same ReLU autoencoder with decoder rows of norm one: what a row loses, its activation gains."""
        norm = self.W_dec.norm(dim=1).clamp_min(1e-12)  # feature
        return Parameters(self.W_enc * norm, self.b_enc * norm, self.W_dec / norm[:, None], self.b_dec.detach())


@dataclass(frozen=True)
class Loss:
    """What a batch costs, and what the features did in it."""

    total: Float[Tensor, ""]
    """what is descended"""
    error: Float[Tensor, ""]
    """weighted mean of `|x - x'|^2`"""
    n_active: Float[Tensor, ""]
    """weighted mean L0"""
    is_fired: Bool[Tensor, " feature"]
    """whether the feature was active in any row"""


def initialise(batch: Batch, width: int, *, decoder_norm: float, generator: torch.Generator) -> Parameters:
    """Return random decoder rows of norm `decoder_norm` with their transpose as encoder; b_dec is the geometric median.

    Gao et al. 2024, appendix A.1; Templeton et al. 2024 use a norm of 0.1 for L1.
    """
    d_model = batch.rows.shape[1]
    drawn = torch.randn(width, d_model, generator=generator).to(batch.rows.device)  # feature d_model
    W_dec = decoder_norm * drawn / drawn.norm(dim=1, keepdim=True)
    start = Parameters(
        W_enc=W_dec.T.clone().contiguous(),
        b_enc=W_dec.new_zeros(width),
        W_dec=W_dec,
        b_dec=geometric_median(batch),
    )
    for tensor in start.tensors:
        tensor.requires_grad_()
    return start


def geometric_median(batch: Batch, n_rounds: int = 20) -> Float32[Tensor, " d_model"]:
    """Return the point of least mean distance to the rows, after `n_rounds` steps from their mean (Weiszfeld 1937)."""
    median = batch.weight @ batch.rows
    for _ in range(n_rounds):
        pull = batch.weight / (batch.rows - median).norm(dim=1).clamp_min(1e-6)
        median = (pull / pull.sum()) @ batch.rows
    return median


def topk_loss(parameters: Parameters, batch: Batch, *, k: int, is_silent: Bool[Tensor, " feature"]) -> Loss:
    """Return the error as a share of the variance, plus the auxiliary loss of the silent features.

    `|x - x'|^2 / |x - m|^2 + |e - e'|^2 / (32 |e|^2)`, where m is the batch's mean, e the error and e' what the
    d_model / 2 most active silent features make of it (Gao et al. 2024, §2.1 and appendix A.2).
    """
    activation = parameters.activation(batch.rows)
    value, index = activation.topk(k, dim=1, sorted=False)
    value = value.relu()
    remainder = batch.rows - parameters.b_dec - weighted_sum(index, value, parameters.W_dec)
    error = batch.mean(remainder.square().sum(dim=1))
    spread = batch.mean((batch.rows - batch.weight @ batch.rows).square().sum(dim=1)).clamp_min(1e-12)
    total = error / spread
    if is_silent.any():
        silent_activation, silent_rows = activation[:, is_silent], parameters.W_dec[is_silent]
        total = total + AUXILIARY_COEFFICIENT * _auxiliary(batch, remainder.detach(), silent_activation, silent_rows)
    is_fired = torch.zeros_like(is_silent).index_fill(0, index[value > 0], value=True)
    return Loss(total, error.detach(), batch.mean((value > 0).sum(dim=1).float()), is_fired)


def l1_loss(parameters: Parameters, batch: Batch, *, coefficient: float) -> Loss:
    """Return `|x - x'|^2 + coefficient * sum_f z_f |W_dec[f]|`, weighted mean over rows (Templeton et al. 2024)."""
    activation = parameters.activation(batch.rows).relu()  # row feature
    remainder = batch.rows - torch.addmm(parameters.b_dec, activation, parameters.W_dec)
    error = batch.mean(remainder.square().sum(dim=1))
    penalty = batch.mean(activation @ parameters.W_dec.norm(dim=1))
    is_active = activation.detach() > 0
    n_active = batch.mean(is_active.sum(dim=1).float())
    return Loss(error + coefficient * penalty, error.detach(), n_active, is_active.any(dim=0))


def weighted_sum(
    index: Tensor, value: Float[Tensor, "row k"], W_dec: Float[Tensor, "feature d_model"]
) -> Float[Tensor, "row d_model"]:
    """Return the sum of the chosen decoder rows, each times its value."""
    return embedding_bag(index, W_dec, per_sample_weights=value, mode="sum")


def _auxiliary(
    batch: Batch,
    error: Float[Tensor, "row d_model"],
    activation: Float[Tensor, "row silent"],
    W_dec: Float[Tensor, "silent d_model"],
) -> Float[Tensor, ""]:
    k = min(max(1, error.shape[1] // 2), activation.shape[1])
    value, index = activation.topk(k, dim=1, sorted=False)
    missed = error - weighted_sum(index, value.relu(), W_dec)
    energy = batch.mean(error.square().sum(dim=1)).clamp_min(1e-12)
    return batch.mean(missed.square().sum(dim=1)) / energy
