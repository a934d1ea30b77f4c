"""JumpReLU autoencoders: features are active above learned thresholds of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, log
from typing import Any, ClassVar

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.batched.losses import Loss, LossInputs, activity, revival
from dtinterp.dictionary.batched.parameters import Parameters
from dtinterp.dictionary.kinds.kind import Weights, require_price
from dtinterp.dictionary.kinds.learned import LearnedKind
from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class JumpReLU(LearnedKind):
    """An autoencoder whose features are active above a threshold of their own, which is learnt.

    Codes are `z_f = a_f [a_f > t_f]`, decoder rows have unit norm. Loss: `|x - x'|^2 + coefficient * L0(z)`. The
    thresholds learn through the pseudo-derivatives `d[a > t]/dt = -K((a - t) / bandwidth) / bandwidth` and
    `dz/dt = -t K((a - t) / bandwidth) / bandwidth`, with K = 1 between -1/2 and 1/2. Rajamanoharan et al. 2024,
    arXiv:2407.14435, §3 and eq. 11-12. Silent features are revived as TopK's are.
    """

    has_threshold: ClassVar[bool] = True
    saelens: ClassVar[str | None] = "jumprelu"

    coefficient: float = 1.0
    """price of an active feature"""
    bandwidth: float = 0.2
    """how near its threshold, in normalised units, an activation moves it, > 0"""

    def __post_init__(self) -> None:
        """Refuse impossible prices and bandwidths."""
        require_price(self, self.coefficient)
        if not (isfinite(self.bandwidth) and self.bandwidth > 0):
            raise UserError(f"JumpReLU has bandwidth={self.bandwidth}, expected a number above 0: give another one.")

    def title(self, width: int) -> str:
        """Name width and price."""
        return f"jumprelu-{width}-c{self.coefficient:g}"

    def start(self, parameters: Parameters, settings: Mapping[str, Sequence[float]]) -> Parameters:
        """Return the weights with thresholds at the bandwidth."""
        first = torch.tensor([log(each) for each in settings["bandwidth"]], device=parameters.b_enc.device)[:, None]
        return replace(parameters, log_threshold=first.expand_as(parameters.b_enc).clone())

    def loss(self, given: LossInputs) -> Loss:
        """Return `|x - x'|^2 + coefficient * L0`, weighted mean over rows (Rajamanoharan et al. 2024b, eq. 9).

        The auxiliary loss of silent features is added as TopK has it, times the variance, since this error is no share.
        """
        parameters, batch = given.parameters, given.batch
        assert parameters.log_threshold is not None
        coefficient = given.rise * given.column("coefficient")
        bandwidth = given.column("bandwidth")[:, None, None]
        found, threshold = parameters.activation(batch.rows).relu(), parameters.log_threshold.exp()[:, None]
        code = _Jump.apply(found, threshold, bandwidth)  # member row feature
        n_active = batch.mean(_Step.apply(found, threshold, bandwidth).sum(dim=2))
        remainder = batch.rows - parameters.decoded(code)  # member row d_model
        error = batch.mean(remainder.square().sum(dim=2))
        revived = batch.spread * revival(given, remainder.detach())
        return Loss(error + coefficient * n_active + revived, error.detach(), *activity(code, batch))

    def finish(self, parameters: Parameters, threshold: Float32[Tensor, " member"]) -> Weights:
        """Return the weights with the learned thresholds."""
        del threshold
        assert parameters.log_threshold is not None
        return {**parameters.weights, "threshold": parameters.log_threshold.exp()}


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
