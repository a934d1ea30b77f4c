"""Silent features of L1 autoencoders start anew where the reconstruction is worst.

The other kinds teach silent features the error. Beside a price on activations that is too weak to wake them: what a
feature would save is less than what it costs, until it points where much is missing.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from dtinterp.dictionary.training.initialization import Batch, Parameters
from dtinterp.dictionary.training.streams import drawn

MOMENTS = (1 / 8, 1 / 4, 3 / 8, 1 / 2)
"""After which shares of the steps: four times in the first half, so that there is time to learn."""
ENCODER_SHARE = 0.2
"""Norm of a new encoder column, as a share of the mean one of features that fire."""


def is_renewal(step: int, n_steps: int) -> bool:
    """Return whether silent features start anew after `step` of `n_steps` steps."""
    return step in {int(moment * n_steps) for moment in MOMENTS}


@torch.no_grad()
def renew(
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
