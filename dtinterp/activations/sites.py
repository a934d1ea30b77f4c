"""Names of the places in a model where rows are taken, and how slots lie in their activations."""

from collections.abc import Callable, Sequence

from jaxtyping import Float32
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.foundation.errors import UserError
from dtinterp.model.policy import Hook
from dtinterp.model.transformer import DecisionTransformer

OBSERVATION_EMBEDDING = "hook_obs_embed"
"""The observation's embedding before the time is added."""
PER_SLOT = (OBSERVATION_EMBEDDING, "hook_rtg_embed", "hook_action_embed", "hook_time_embed")
"""Sites with one vector a slot; the others have one a token, of which the observation's is taken."""
PAIRS = ("hook_attn_scores", "hook_pattern")
"""Ends of the names of sites that show pairs of tokens: a query's row is what each head pays to each key."""

SlotEdit = Callable[[Float32[Tensor, "batch slot d_model"]], Float32[Tensor, "batch slot d_model"]]
"""New vectors for the observation tokens of a batch, one per slot."""


def sites_of(model: DecisionTransformer) -> tuple[str, ...]:
    """Return a model's sites, every place that can be hooked, those of the stream first.

    A site with several axes, such as heads, has one row a slot all the same: the heads stand one after the other.
    """
    return tuple(dict.fromkeys([*stream_sites(model), *model.hook_dict]))


def stream_sites(model: DecisionTransformer) -> tuple[str, ...]:
    """Return the observation embedding and the residual stream by layer: what the logits are a sum over."""
    moments = ("pre", "mid", "post")  # before attention, between attention and MLP, behind both
    residual = [f"blocks.{layer}.hook_resid_{when}" for layer in range(model.cfg.n_layers) for when in moments]
    return (OBSERVATION_EMBEDDING, *residual)


def check_site(model: DecisionTransformer, site: str) -> None:
    """Raise `UserError` where the model has no such site."""
    require_among(sites_of(model), site)


def between_blocks(model: DecisionTransformer) -> tuple[str, ...]:
    """Return the stream's sites where a whole block has been passed or none: all but those inside one."""
    return tuple(site for site in stream_sites(model) if not site.endswith("mid"))


def require_among(sites: Sequence[str], site: str) -> None:
    """Raise `UserError` for a site that is none of these."""
    if site not in sites:
        raise UserError(f"the site is {site!r}, expected one of {', '.join(sites)}: give one of these.")


def slots_at(
    site: str, activation: Float32[Tensor, "*activation"], tokens: slice
) -> Float32[Tensor, "batch slot column"]:
    """Return the observation vectors of an activation taken at `site`, one per slot.

    `tokens` is where the model has its observations, `model.cfg.observation_tokens`.
    """
    places = _places_first(site, activation)
    return (places if site in PER_SLOT else places[:, tokens]).flatten(2)


def splice(site: str, edit: SlotEdit, tokens: slice) -> Hook:
    """Return the hook that puts `edit(observation vectors)` in their place; all other tokens stay as they are.

    `tokens` is where the model has its observations, `model.cfg.observation_tokens`.
    """

    def put_back(activation: Tensor, **_: HookPoint) -> Tensor:
        edited = edit(slots_at(site, activation, tokens))
        spliced = activation.clone()
        places = _places_first(site, spliced)
        chosen = slice(None) if site in PER_SLOT else tokens
        places[:, chosen] = edited.view_as(places[:, chosen])
        return spliced

    return site, put_back


def _places_first(site: str, activation: Float32[Tensor, "*activation"]) -> Float32[Tensor, "batch place *column"]:
    """Return a view of the activation whose second axis is slots or tokens."""
    return activation.transpose(1, 2) if site.endswith(PAIRS) else activation
