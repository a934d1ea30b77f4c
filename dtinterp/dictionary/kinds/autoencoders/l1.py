"""L1 autoencoders: ReLU codes that cost their weight in the reconstruction; silent features are resampled.

The other kinds teach silent features the error. Beside a price on activations that is too weak to wake them: what a
feature would save is less than what it costs, until it points where much is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.dictionary.batched.losses import Loss, LossInputs, activity
from dtinterp.dictionary.batched.parameters import Parameters
from dtinterp.dictionary.kinds.kind import Weights, require_price
from dtinterp.dictionary.kinds.learned import LearnedKind, Resample
from dtinterp.dictionary.rows.batches import Batch, drawn

MOMENTS = (1 / 8, 1 / 4, 3 / 8, 1 / 2)
"""After which shares of the steps: four times in the first half, so that there is time to learn."""
ENCODER_SHARE = 0.2
"""Norm of a new encoder column, as a share of the mean one of features that fire."""


@dataclass(frozen=True)
class L1(LearnedKind):
    """A ReLU autoencoder whose activations cost their weight in the reconstruction.

    Loss: `|x - x'|^2 + coefficient * sum_f z_f |W_dec[f]|`, mean over rows whose mean norm is sqrt(d_model). Bricken
    et al. 2023, "Towards Monosemanticity", transformer-circuits.pub/2023/monosemantic-features; the penalty weighted
    by decoder norms is from Templeton et al. 2024, "Scaling Monosemanticity", transformer-circuits.pub/2024/
    scaling-monosemanticity. Silent features are resampled as in the former. Decoder rows are free, since it prices
    them.
    """

    saelens: ClassVar[str | None] = "standard"
    decoder_norm: ClassVar[float] = 0.1
    has_unit_decoder: ClassVar[bool] = False

    coefficient: float = 1.0
    """price of a unit of activation; zero is a plain autoencoder"""

    def __post_init__(self) -> None:
        """Refuse a price that is negative or not finite."""
        require_price(self, self.coefficient)

    def title(self, width: int) -> str:
        """Name width and price."""
        return f"l1-{width}-c{self.coefficient:g}"

    def loss(self, given: LossInputs) -> Loss:
        """Return the error and the price of the code, weighted means over rows (Templeton et al. 2024)."""
        parameters, batch = given.parameters, given.batch
        code = parameters.activation(batch.rows).relu()  # member row feature
        error = batch.mean((batch.rows - parameters.decoded(code)).square().sum(dim=2))
        price = batch.mean(torch.einsum("mrf,mf->mr", code, parameters.W_dec.norm(dim=2)))
        coefficient = given.rise * given.column("coefficient")
        return Loss(error + coefficient * price, error.detach(), *activity(code, batch))

    def finish(self, parameters: Parameters, threshold: Float32[Tensor, " member"]) -> Weights:
        """Return the weights with decoder rows of norm one."""
        del threshold
        return parameters.with_unit_decoder().weights

    def resampling(self, step: int, n_steps: int) -> Resample | None:
        """Return `resample` at four moments."""
        return resample if step in {int(moment * n_steps) for moment in MOMENTS} else None


@torch.no_grad()
def resample(
    parameters: Parameters,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    *,
    is_silent: Bool[Tensor, "member feature"],
    generators: Sequence[torch.Generator],
) -> None:
    """Point each silent feature along a row, drawn in proportion to the square of its squared error.

    Its decoder row is that direction at the mean norm of the features that fire, its encoder column the same at a fifth
    of theirs, its bias 0 (Bricken et al. 2023, appendix "Neuron Resampling"). A member draws from its own generator.
    """
    code = parameters.activation(batch.rows).relu()  # member row feature
    error = (batch.rows - parameters.decoded(code)).square().sum(dim=2)  # member row
    for member, generator in enumerate(generators):
        silent = is_silent[member].nonzero().squeeze(1)
        if len(silent) == 0:
            continue
        own = batch.of(member)
        chance = own.weight * error[member].square()  # row
        chosen = drawn(chance.double().cumsum(0), len(silent), generator)
        away = own.rows[chosen] - parameters.b_dec[member]  # silent d_model
        direction = away / away.norm(dim=1, keepdim=True).clamp_min(1e-12)
        fires = ~is_silent[member] if not is_silent[member].all() else is_silent[member]
        parameters.W_dec[member, silent] = direction * parameters.W_dec[member, fires].norm(dim=1).mean()
        length = ENCODER_SHARE * parameters.W_enc[member][:, fires].norm(dim=0).mean()
        parameters.W_enc[member, :, silent] = length * direction.T
        parameters.b_enc[member, silent] = 0.0
        _forget(optimiser, parameters, member, silent=silent, fires=fires)


def _forget(
    optimiser: torch.optim.Optimizer,
    parameters: Parameters,
    member: int,
    *,
    silent: Int64[Tensor, " silent"],
    fires: Bool[Tensor, " feature"],
) -> None:
    """Let silent features forget where they went, and step as far as those that fire.

    With a second moment of zero, as in the paper, Adam's next step would be a leap.
    """
    state = optimiser.state
    by_feature = {"W_dec": state[parameters.W_dec], "W_enc": state[parameters.W_enc], "b_enc": state[parameters.b_enc]}
    for name, moments in by_feature.items():
        first, second = (moments[each][member] for each in ("exp_avg", "exp_avg_sq"))
        if name == "W_enc":
            first, second = first.mT, second.mT
        first[silent] = 0.0
        second[silent] = second[fires].mean(dim=0)
