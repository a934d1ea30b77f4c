"""Gated autoencoders: which features are active is decided apart from how active they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.batched.losses import Loss, LossInputs, activity, revival
from dtinterp.dictionary.batched.parameters import Parameters
from dtinterp.dictionary.kinds.kind import Weights, require_price
from dtinterp.dictionary.kinds.learned import LearnedKind


@dataclass(frozen=True)
class Gated(LearnedKind):
    """An autoencoder that decides which features are active apart from how active they are.

    With `p = (x - b_dec) W_enc`, codes are `z_f = [p_f + b_gate_f > 0] relu(exp(r_f) p_f + b_mag_f)`, decoder rows have
    unit norm. Loss: `|x - x'|^2 + coefficient * sum_f relu(p_f + b_gate_f) + |x - relu(p + b_gate) W_dec - b_dec|^2`,
    where the last term leaves the decoder alone. Rajamanoharan et al. 2024, arXiv:2404.16014, §3. Once trained it is
    the JumpReLU autoencoder with `W_enc exp(r)`, `b_enc = b_mag` and `t = b_mag - exp(r) b_gate` (its appendix E).
    Silent features are revived as TopK's are, where the paper resamples them.
    """

    has_threshold: ClassVar[bool] = True
    saelens: ClassVar[str | None] = "gated"

    coefficient: float = 2.0
    """price of a unit of gate activation"""

    def __post_init__(self) -> None:
        """Refuse a price that is negative or not finite."""
        require_price(self, self.coefficient)

    def title(self, width: int) -> str:
        """Name width and price."""
        return f"gated-{width}-c{self.coefficient:g}"

    def start(self, parameters: Parameters, settings: Mapping[str, Sequence[float]]) -> Parameters:
        """Return the weights with gates that are the magnitudes."""
        del settings
        zeros = torch.zeros_like
        return replace(parameters, b_gate=zeros(parameters.b_enc), r_mag=zeros(parameters.b_enc))

    def loss(self, given: LossInputs) -> Loss:
        """Return the error, the price of the gates and the gates' own error (Rajamanoharan et al. 2024a, eq. 8).

        The auxiliary loss of silent features is added as for JumpReLU, through their gates.
        """
        parameters, batch = given.parameters, given.batch
        assert parameters.b_gate is not None
        assert parameters.r_mag is not None
        coefficient = given.rise * given.column("coefficient")
        rows = batch.rows.expand(len(parameters.b_dec), -1, -1)
        shared = torch.baddbmm(parameters.shift[:, None], rows, parameters.W_enc)
        gate = (shared + parameters.b_gate[:, None]).relu()  # member row feature
        magnitude = (shared * parameters.r_mag.exp()[:, None] + parameters.b_enc[:, None]).relu()
        code = magnitude.where(gate > 0, 0.0)
        remainder = batch.rows - parameters.decoded(code)  # member row d_model
        error = batch.mean(remainder.square().sum(dim=2))
        frozen = torch.baddbmm(parameters.b_dec.detach()[:, None], gate, parameters.W_dec.detach())
        auxiliary = batch.mean((batch.rows - frozen).square().sum(dim=2))
        revived = batch.spread * revival(given, remainder.detach())
        total = error + coefficient * batch.mean(gate.sum(dim=2)) + auxiliary + revived
        return Loss(total, error.detach(), *activity(code, batch))

    def finish(self, parameters: Parameters, threshold: Float32[Tensor, " member"]) -> Weights:
        """Return the weights of the JumpReLU autoencoder that it is."""
        del threshold
        assert parameters.b_gate is not None
        assert parameters.r_mag is not None
        gain = parameters.r_mag.exp()  # member feature
        own = (parameters.b_enc - gain * parameters.b_gate).clamp_min(0)
        return {**parameters.weights, "W_enc": parameters.W_enc * gain[:, None], "threshold": own}
