"""Names of the places in a model where rows are taken, and how slots lie in their activations."""

from collections.abc import Callable, Sequence

from jaxtyping import Float32
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.foundation.errors import UserError
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import Hook

OBSERVATION_EMBEDDING = "hook_obs_embed"
"""The observation's embedding before the time is added."""
PER_SLOT = (OBSERVATION_EMBEDDING, "hook_rtg_embed", "hook_action_embed", "hook_time_embed")
"""Sites with one vector a slot; the others have one a token, of which the observation's is taken."""
PAIRS = ("hook_attn_scores", "hook_pattern")
"""Ends of the names of sites that show pairs of tokens: a query's row is what each head pays to each key."""

PER_HEAD = ("hook_q", "hook_k", "hook_v", "hook_z", "hook_result", *PAIRS)
"""Last names of sites whose rows have an axis of heads."""
PER_UNIT = ("mlp.hook_pre", "mlp.hook_post")
"""Ends of the names of sites whose rows have one number for each unit of an MLP."""
SCALE = "hook_scale"
"""Last name of sites whose rows are the one number that a LayerNorm divides by."""

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


def shape_at(model: DecisionTransformer, site: str) -> tuple[int, ...]:
    """Return the shape of what one observation has at a site: (d_model,) in the stream, (head, d_head) at hook_z.

    Rows of a site are this laid flat. Raises `UserError` where the model has no such site.
    """
    check_site(model, site)
    shape = model.cfg
    match site.rpartition(".")[2]:
        case "hook_q" | "hook_k" | "hook_v" | "hook_z":
            return (shape.n_heads, shape.d_head)
        case "hook_result":
            return (shape.n_heads, shape.d_model)
        case "hook_attn_scores" | "hook_pattern":
            return (shape.n_heads, shape.n_ctx)
        case "hook_scale":
            return (1,)
        case _:
            return (shape.d_mlp if site.endswith(PER_UNIT) else shape.d_model,)


def is_of_stream(site: str) -> bool:
    """Return whether rows at a site are vectors of the residual stream: read off it, or added to it."""
    return site.rpartition(".")[2] not in (*PER_HEAD, SCALE) and not site.endswith(PER_UNIT)


def require_meaning(model: DecisionTransformer, found: str, used: str) -> None:
    """Raise `UserError` where a vector found at one site would be used at another where it means something else.

    Vectors of the residual stream mean the same wherever they are; of other sites each has axes of its own, such as the
    four heads of 32 that have as many numbers as a stream of 128.
    """
    check_site(model, used)
    if found != used and not (is_of_stream(found) and is_of_stream(used)):
        raise UserError(
            f"the vector is {_meaning(model, found)}, and at {used} there is {_meaning(model, used)}: "
            "use it at a site where it means the same."
        )


def _meaning(model: DecisionTransformer, site: str) -> str:
    shape = " × ".join(map(str, shape_at(model, site)))
    return f"one of {shape} numbers of {'the residual stream' if is_of_stream(site) else site}"


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
