"""Names of the places in a model where rows are taken, and how slots lie in their activations."""

from collections.abc import Callable

from jaxtyping import Float32
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.foundation.errors import UserError
from dtinterp.model.policy import Hook
from dtinterp.model.tokens import OBSERVATION
from dtinterp.model.transformer import DecisionTransformer

OBSERVATION_EMBEDDING = "hook_obs_embed"
"""The observation's embedding before the time is added."""

SlotEdit = Callable[[Float32[Tensor, "batch slot d_model"]], Float32[Tensor, "batch slot d_model"]]
"""New vectors for the observation tokens of a batch, one per slot."""


def sites_of(model: DecisionTransformer) -> tuple[str, ...]:
    """Return a model's sites: the observation embedding, and the residual stream at observation tokens by layer."""
    moments = ("pre", "mid", "post")  # before attention, between attention and MLP, behind both
    residual = [f"blocks.{layer}.hook_resid_{when}" for layer in range(model.cfg.n_layers) for when in moments]
    return (OBSERVATION_EMBEDDING, *residual)


def check_site(model: DecisionTransformer, site: str) -> None:
    """Raise `UserError` where the model has no such site."""
    if site not in sites_of(model):
        raise UserError(f"the site is {site!r}, expected one of {', '.join(sites_of(model))}: give one of these.")


def slots_at(
    site: str, activation: Float32[Tensor, "batch place d_model"], tokens: slice = OBSERVATION
) -> Float32[Tensor, "batch slot d_model"]:
    """Return the observation vectors of an activation taken at `site`, one per slot.

    `tokens` is where the model has its observations, `model.cfg.observation_tokens`.
    """
    return activation if site == OBSERVATION_EMBEDDING else activation[:, tokens]


def splice(site: str, edit: SlotEdit, tokens: slice = OBSERVATION) -> Hook:
    """Return the hook that puts `edit(observation vectors)` in their place; all other tokens stay as they are.

    `tokens` is where the model has its observations, `model.cfg.observation_tokens`.
    """

    def put_back(activation: Tensor, **_: HookPoint) -> Tensor:
        edited = edit(slots_at(site, activation, tokens))
        if site == OBSERVATION_EMBEDDING:
            return edited
        spliced = activation.clone()
        spliced[:, tokens] = edited
        return spliced

    return site, put_back
