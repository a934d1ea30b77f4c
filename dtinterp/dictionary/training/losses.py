"""A batch of rows becomes the loss that each autoencoder of a stack descends, one formula for each kind.

All functions return one number a member; members of a stack share no weight, so the gradient of the sum is each one's
own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from dtinterp.dictionary.kinds import L1, Autoencoder, BatchTopK, Gated, JumpReLU, Matryoshka, TopK
from dtinterp.dictionary.training.initialization import Batch, Parameters
from dtinterp.dictionary.training.sparse import Strongest, strongest, weighted_sum
from dtinterp.dictionary.training.thresholds import batch_threshold

AUXILIARY_COEFFICIENT = 1 / 32
"""Weight of the loss that revives silent features (Gao et al. 2024, appendix A.2)."""


@dataclass(frozen=True)
class Loss:
    """What a batch costs each member, and what the features did in it."""

    total: Float[Tensor, " member"]
    """what is descended"""
    error: Float[Tensor, " member"]
    """weighted mean of `|x - x'|^2`"""
    n_active: Float[Tensor, " member"]
    """weighted mean L0"""
    is_fired: Bool[Tensor, "member feature"]
    """whether the feature was active in any row"""
    threshold: Float[Tensor, " member"] | None = None
    """of BatchTopK and Matryoshka: the activation above which features counted in this batch"""


def loss_of(
    kinds: Sequence[Autoencoder],
    parameters: Parameters,
    batch: Batch,
    *,
    is_silent: Bool[Tensor, "member feature"],
    rise: float,
) -> Loss:
    """Return the loss of members of one type, each with the settings of its kind; prices count `rise` times."""
    match kinds[0]:
        case TopK():
            return topk_loss(parameters, batch, k=_column(kinds, "k", parameters).long(), is_silent=is_silent)
        case BatchTopK():
            width = parameters.W_dec.shape[1]
            k = _column(kinds, "k", parameters)
            return nested_loss(parameters, batch, k=k, prefixes=(width,), is_silent=is_silent)
        case Matryoshka() as kind:
            prefixes = kind.prefixes(parameters.W_dec.shape[1])
            k = _column(kinds, "k", parameters)
            return nested_loss(parameters, batch, k=k, prefixes=prefixes, is_silent=is_silent)
        case L1():
            return l1_loss(parameters, batch, coefficient=rise * _column(kinds, "coefficient", parameters))
        case JumpReLU():
            price = rise * _column(kinds, "coefficient", parameters)
            width = _column(kinds, "bandwidth", parameters)
            return jump_loss(parameters, batch, coefficient=price, bandwidth=width, is_silent=is_silent)
        case Gated():
            price = rise * _column(kinds, "coefficient", parameters)
            return gated_loss(parameters, batch, coefficient=price, is_silent=is_silent)
        case _:
            assert_never(kinds[0])


def topk_loss(
    parameters: Parameters, batch: Batch, *, k: Int64[Tensor, " member"], is_silent: Bool[Tensor, "member feature"]
) -> Loss:
    """Return the error as a share of the variance, plus the auxiliary loss of the silent features.

    `|x - x'|^2 / |x - m|^2 + |e - e'|^2 / (32 |e|^2)`, where m is the batch's mean, e the error and e' what the
    d_model / 2 most active silent features make of it (Gao et al. 2024, §2.1 and appendix A.2).
    """
    kept = strongest(batch.rows, parameters.W_enc, parameters.bias, parameters.W_dec, k)
    remainder = (batch.rows - parameters.b_dec[:, None]) - kept.made  # member row d_model
    error = batch.mean(remainder.square().sum(dim=2))
    total = error / batch.spread + revival(parameters, batch, remainder.detach(), is_silent)
    return strongest_loss(total, error, kept, batch, n_features=is_silent.shape[1])


def strongest_loss(
    total: Float[Tensor, " member"],
    error: Float[Tensor, " member"],
    kept: Strongest,
    batch: Batch,
    *,
    n_features: int,
) -> Loss:
    """Return a loss with what the features that were kept did in the batch."""
    is_active = kept.value > 0  # member row k
    fired = torch.zeros(len(is_active), n_features, device=is_active.device)
    fired.scatter_add_(1, kept.index.flatten(1), is_active.flatten(1).float())
    return Loss(total, error.detach(), batch.mean(is_active.sum(dim=2).float()), fired > 0)


def nested_loss(
    parameters: Parameters,
    batch: Batch,
    *,
    k: Float[Tensor, " member"],
    prefixes: tuple[int, ...],
    is_silent: Bool[Tensor, "member feature"],
) -> Loss:
    """Return the mean over prefixes of the error as a share of the variance, plus the auxiliary loss.

    The code is selected over the batch; the error of a prefix is that of the code's first features alone. One prefix,
    all features, is BatchTopK (Bussmann et al. 2024, §3); nested ones are Matryoshka (Bussmann et al. 2025, §3).
    """
    activation = parameters.activation(batch.rows).relu()  # member row feature
    threshold = batch_threshold(activation.detach(), batch, k)
    code = activation.where(activation > threshold[:, None, None], 0.0)
    remainder = batch.rows - parameters.b_dec[:, None]  # member row d_model
    errors, start = [], 0
    for end in prefixes:
        remainder = remainder - code[:, :, start:end] @ parameters.W_dec[:, start:end]
        errors.append(batch.mean(remainder.square().sum(dim=2)))
        start = end
    total = torch.stack(errors).mean(dim=0) / batch.spread
    total = total + revival(parameters, batch, remainder.detach(), is_silent)
    return Loss(total, errors[-1].detach(), *_activity(code, batch), threshold)


def l1_loss(parameters: Parameters, batch: Batch, *, coefficient: Float[Tensor, " member"]) -> Loss:
    """Return `|x - x'|^2 + coefficient * sum_f z_f |W_dec[f]|`, weighted mean over rows (Templeton et al. 2024)."""
    code = parameters.activation(batch.rows).relu()  # member row feature
    error = _error(parameters, batch, code)
    price = torch.einsum("mrf,mf->mr", code, parameters.W_dec.norm(dim=2))
    return Loss(error + coefficient * batch.mean(price), error.detach(), *_activity(code, batch))


def jump_loss(
    parameters: Parameters,
    batch: Batch,
    *,
    coefficient: Float[Tensor, " member"],
    bandwidth: Float[Tensor, " member"],
    is_silent: Bool[Tensor, "member feature"],
) -> Loss:
    """Return `|x - x'|^2 + coefficient * L0`, weighted mean over rows (Rajamanoharan et al. 2024b, eq. 9).

    The auxiliary loss of silent features is added as TopK has it, times the variance, since this error is no share.
    """
    assert parameters.log_threshold is not None
    activation = parameters.activation(batch.rows).relu()
    threshold, width = parameters.log_threshold.exp()[:, None], bandwidth[:, None, None]  # member 1 feature
    code = _Jump.apply(activation, threshold, width)  # member row feature
    n_active = batch.mean(_Step.apply(activation, threshold, width).sum(dim=2))
    remainder = batch.rows - parameters.decoded(code)  # member row d_model
    error = batch.mean(remainder.square().sum(dim=2))
    revived = batch.spread * revival(parameters, batch, remainder.detach(), is_silent)
    return Loss(error + coefficient * n_active + revived, error.detach(), *_activity(code, batch))


def gated_loss(
    parameters: Parameters,
    batch: Batch,
    *,
    coefficient: Float[Tensor, " member"],
    is_silent: Bool[Tensor, "member feature"],
) -> Loss:
    """Return the error, the price of the gates and the gates' own error (Rajamanoharan et al. 2024a, eq. 8).

    The auxiliary loss of silent features is added as for JumpReLU, through their gates.
    """
    assert parameters.b_gate is not None
    assert parameters.r_mag is not None
    shared = torch.baddbmm(parameters.shift[:, None], batch.rows.expand(len(coefficient), -1, -1), parameters.W_enc)
    gate = (shared + parameters.b_gate[:, None]).relu()  # member row feature
    magnitude = (shared * parameters.r_mag.exp()[:, None] + parameters.b_enc[:, None]).relu()
    code = magnitude.where(gate > 0, 0.0)
    remainder = batch.rows - parameters.decoded(code)  # member row d_model
    error = batch.mean(remainder.square().sum(dim=2))
    frozen = torch.baddbmm(parameters.b_dec.detach()[:, None], gate, parameters.W_dec.detach())
    auxiliary = batch.mean((batch.rows - frozen).square().sum(dim=2))
    revived = batch.spread * revival(parameters, batch, remainder.detach(), is_silent)
    total = error + coefficient * batch.mean(gate.sum(dim=2)) + auxiliary + revived
    return Loss(total, error.detach(), *_activity(code, batch))


def _column(kinds: Sequence[Autoencoder], setting: str, parameters: Parameters) -> Float[Tensor, " member"]:
    return torch.tensor([float(getattr(kind, setting)) for kind in kinds], device=parameters.W_dec.device)


def _error(parameters: Parameters, batch: Batch, code: Float[Tensor, "member row feature"]) -> Float[Tensor, " member"]:
    return batch.mean((batch.rows - parameters.decoded(code)).square().sum(dim=2))


def _activity(
    code: Float[Tensor, "member row feature"], batch: Batch
) -> tuple[Float[Tensor, " member"], Bool[Tensor, "member feature"]]:
    is_active = code.detach() > 0
    return batch.mean(is_active.sum(dim=2).float()), is_active.any(dim=1)


def revival(
    parameters: Parameters,
    batch: Batch,
    error: Float[Tensor, "member row d_model"],
    is_silent: Bool[Tensor, "member feature"],
) -> Float[Tensor, " member"]:
    """Return the weighted auxiliary loss of each member, 0 where no feature is silent."""
    silent = is_silent.any(dim=1).tolist()
    losses = [
        _auxiliary(parameters, batch.of(member), error[member], member, is_silent[member].nonzero().squeeze(1))
        if silent[member]
        else error.new_zeros(())
        for member in range(len(silent))
    ]
    return AUXILIARY_COEFFICIENT * torch.stack(losses)


def _auxiliary(
    parameters: Parameters,
    batch: Batch,
    error: Float[Tensor, "row d_model"],
    member: int,
    silent: Int64[Tensor, " silent"],
) -> Float[Tensor, ""]:
    W_enc, W_dec = parameters.W_enc[member][:, silent], parameters.W_dec[member][silent]
    own = parameters.b_enc if parameters.b_gate is None else parameters.b_gate
    bias = own[member][silent] - parameters.b_dec[member] @ W_enc
    activation = torch.addmm(bias, batch.rows, W_enc)  # row silent
    k = max(1, error.shape[1] // 2)
    if len(silent) <= k:
        caught = activation.relu() @ W_dec
    else:
        value, index = activation.topk(k, dim=1, sorted=False)
        caught = weighted_sum(index, value.relu(), W_dec)
    energy = batch.mean(error.square().sum(dim=1)).clamp_min(1e-12)
    return batch.mean((error - caught).square().sum(dim=1)) / energy


class _Jump(torch.autograd.Function):
    """`a [a > t]`, with the pseudo-derivative of Rajamanoharan et al. 2024b, eq. 11, for t."""

    @staticmethod
    def forward(ctx: Any, activation: Tensor, threshold: Tensor, bandwidth: Tensor) -> Tensor:
        ctx.save_for_backward(activation, threshold, bandwidth)
        return activation.where(activation > threshold, 0.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        activation, threshold, bandwidth = ctx.saved_tensors
        near = _near(activation, threshold, bandwidth)
        moved = -(threshold / bandwidth) * (gradients[0] * near).sum(dim=1, keepdim=True)
        return gradients[0].where(activation > threshold, 0.0), moved, None


class _Step(torch.autograd.Function):
    """`[a > t]`, with the pseudo-derivative of Rajamanoharan et al. 2024b, eq. 12, for t."""

    @staticmethod
    def forward(ctx: Any, activation: Tensor, threshold: Tensor, bandwidth: Tensor) -> Tensor:
        ctx.save_for_backward(activation, threshold, bandwidth)
        return (activation > threshold).to(activation.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        activation, threshold, bandwidth = ctx.saved_tensors
        near = _near(activation, threshold, bandwidth)
        return None, -(gradients[0] * near).sum(dim=1, keepdim=True) / bandwidth, None


def _near(activation: Tensor, threshold: Tensor, bandwidth: Tensor) -> Tensor:
    return ((activation - threshold).abs() < bandwidth / 2).to(activation.dtype)
