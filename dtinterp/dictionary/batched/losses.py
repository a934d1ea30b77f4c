"""What a batch costs each autoencoder of a stack: what losses are made from, and the loss that revives silent features.

All functions return one number a member; members of a stack share no weight, so the gradient of the sum is each one's
own. What a kind adds to this stands in its own file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from dtinterp.dictionary.batched.parameters import Parameters
from dtinterp.dictionary.batched.sparse import Strongest, weighted_sum
from dtinterp.dictionary.rows.batches import Batch

AUXILIARY_COEFFICIENT = 1 / 32
"""Weight of the loss that revives silent features (Gao et al. 2024, appendix A.2)."""
DENSE = 16
"""As many times more silent features than a row uses are multiplied whole: the gradients of a sum over chosen ones cost
as much as a product with so many more."""


@dataclass(frozen=True)
class LossInputs:
    """What the loss of a step is computed from."""

    parameters: Parameters
    batch: Batch
    is_silent: Bool[Tensor, "member feature"]
    """whether the feature has not fired for long"""
    rise: float
    """share of its price that an activation costs at this step"""
    settings: Mapping[str, Sequence[float]]
    """of the kind, by name: one of each member"""

    def column(self, setting: str) -> Float[Tensor, " member"]:
        """Return a setting of each member."""
        return torch.tensor(self.settings[setting], device=self.is_silent.device)


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


def strongest_loss(
    total: Float[Tensor, " member"], error: Float[Tensor, " member"], kept: Strongest, given: LossInputs
) -> Loss:
    """Return a loss with what the features that were kept did in the batch."""
    is_active = kept.value > 0  # member row k
    fired = torch.zeros(given.is_silent.shape, device=is_active.device)
    fired.scatter_add_(1, kept.index.flatten(1), is_active.flatten(1).float())
    return Loss(total, error.detach(), given.batch.mean(is_active.sum(dim=2).float()), fired > 0)


def activity(
    code: Float[Tensor, "member row feature"], batch: Batch
) -> tuple[Float[Tensor, " member"], Bool[Tensor, "member feature"]]:
    """Return the weighted mean L0, and which features were active in any row."""
    is_active = code.detach() > 0
    return batch.mean(is_active.sum(dim=2).float()), is_active.any(dim=1)


def revival(given: LossInputs, error: Float[Tensor, "member row d_model"]) -> Float[Tensor, " member"]:
    """Return the weighted auxiliary loss of each member, 0 where no feature is silent."""
    silent = given.is_silent.any(dim=1).tolist()
    losses = [
        _auxiliary(given, error[member], member) if silent[member] else error.new_zeros(())
        for member in range(len(silent))
    ]
    return AUXILIARY_COEFFICIENT * torch.stack(losses)


def _auxiliary(given: LossInputs, error: Float[Tensor, "row d_model"], member: int) -> Float[Tensor, ""]:
    parameters, batch = given.parameters, given.batch.of(member)
    silent: Int64[Tensor, " silent"] = given.is_silent[member].nonzero().squeeze(1)
    W_enc, W_dec = parameters.W_enc[member][:, silent], parameters.W_dec[member][silent]
    own = parameters.b_enc if parameters.b_gate is None else parameters.b_gate
    bias = own[member][silent] - parameters.b_in[member] @ W_enc
    activation = torch.addmm(bias, batch.rows, W_enc)  # row silent
    k = max(1, error.shape[1] // 2)
    if len(silent) <= k:
        caught = activation.relu() @ W_dec
    else:
        value, index = activation.topk(k, dim=1, sorted=False)
        caught = _decoded(index, value.relu(), W_dec)
    energy = batch.mean(error.square().sum(dim=1)).clamp_min(1e-12)
    return batch.mean((error - caught).square().sum(dim=1)) / energy


def _decoded(
    index: Int64[Tensor, "row k"], value: Float[Tensor, "row k"], W_dec: Float[Tensor, "silent d_model"]
) -> Float[Tensor, "row d_model"]:
    """Return the sum of the chosen decoder rows, each times its value; of few features by a product of matrices."""
    if len(W_dec) > DENSE * index.shape[1]:
        return weighted_sum(index, value, W_dec)
    return value.new_zeros(len(index), len(W_dec)).scatter(1, index, value) @ W_dec
