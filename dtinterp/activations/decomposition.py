"""The parts of the residual stream, with what each adds to the logits.

With x = Σ_p x_p the residual stream at an observation token before the last norm, and σ the norm's scale there,

    logits = Σ_p (x_p − x̄_p) / σ · diag(w) W_U + b W_U + b_U

(the mean x̄ only where the norm centres; w and b only where it has them). The parts add up exactly because σ is that of
the whole stream, as the model used it. What a part adds is therefore its direct effect: what it does to later blocks,
and what the logits would be without it, are other questions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, assert_never

import torch
from einops import einsum, rearrange
from jaxtyping import Float, Float32, Float64
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, require_among, stream_sites
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.normalization import LayerNorm, LayerNormPre, RMSNorm
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import Hook

EMBEDDINGS = ("obs_embed", "time_embed", "pos_embed")
"""What is added up into an observation token; a model may lack the last two."""


@dataclass(frozen=True)
class ByComponent:
    """The embeddings, and what each attention layer and each MLP writes."""


@dataclass(frozen=True)
class ByHead:
    """Attention layers taken apart into heads and bias."""


@dataclass(frozen=True)
class ByNeuron:
    """MLPs taken apart into neurons and bias."""


@dataclass(frozen=True)
class ByItem:
    """The observation's embedding taken apart into the items (or numbers) that it is the sum of."""


@dataclass(frozen=True)
class ByFeature:
    """What stands at a site taken apart into the features of a dictionary, and the rest."""

    site: str
    W_dec: Float[Tensor, "feature d_model"]
    """what one unit of each feature adds to a row, in activation units"""
    value: Float[Tensor, "batch slot feature"]
    """how much of each feature there is"""


Grain: TypeAlias = ByComponent | ByHead | ByNeuron | ByItem | ByFeature
"""How finely the residual stream is taken apart."""


@dataclass(frozen=True)
class LogitParts:
    """What each part of the residual stream adds to the logits at each slot."""

    name: tuple[str, ...]
    """`obs_embed`, `1_mlp_out`, `L0H3`, `L1N250`, `item 12`, `feature 7` …; last `bias`, the part of no part"""
    value: Float32[Tensor, "part batch slot action"]
    logits: Float32[Tensor, "batch slot action"]
    """what the model said"""

    @property
    def residue(self) -> float:
        """The largest amount by which the parts miss the logits; rounding."""
        return float((self.value.double().sum(dim=0) - self.logits).abs().max())


@torch.no_grad()
def decompose(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "frame item"],
    grain: Grain,
    *,
    hooks: Sequence[Hook] = (),
) -> LogitParts:
    """Return the parts of the given grain; with `hooks`, of what the model computes under them.

    Of the residual stream itself the hooks may edit only the grain's own site: what is put in anywhere else is no part.
    Raises `UserError` for a site that the model does not have, or features of other windows or another width.
    """
    _check(model, windows, grain)
    seen: dict[str, Tensor] = {}
    keeping = [_keeping(seen, model, name) for name in _names(model, grain)]
    logits = model.run_with_hooks(windows, items, fwd_hooks=[*hooks, *keeping])
    run = _Run(model, windows, items, seen)
    finer = _finer(run, grain)
    parts = [finer.get(name) or _whole(run, name, rows) for name, rows in _components(run, grain).items()]
    value = torch.cat([part.value for part in parts]) / run.scale  # part batch slot action
    bias = run.bias.expand(1, *logits.shape)
    return LogitParts(
        name=(*(name for part in parts for name in part.name), "bias"),
        value=torch.cat([value, bias]).float(),
        logits=logits,
    )


@dataclass(frozen=True)
class _Parts:
    """Parts before the norm's scale is applied."""

    name: tuple[str, ...]
    value: Float64[Tensor, "part batch slot action"]


@dataclass(frozen=True)
class _Run:
    """What a model did, and how its last norm and its unembedding read the residual stream."""

    model: DecisionTransformer
    windows: Windows
    items: Float32[Tensor, "frame item"]
    seen: Mapping[str, Tensor]
    """activations at observation tokens, by hook"""

    @cached_property
    def matrix(self) -> Float64[Tensor, "d_model action"]:
        """Return what reads a part, but for the scale: diag(w) W_U, its columns centred where the norm centres."""
        norm = self.model.ln_final
        matrix = self.model.W_U.double()
        if isinstance(norm, LayerNorm | RMSNorm):
            matrix = norm.w.double()[:, None] * matrix
        return matrix - matrix.mean(dim=0) if isinstance(norm, LayerNormPre) else matrix

    @property
    def bias(self) -> Float64[Tensor, " action"]:
        """Return what is added whatever the residual stream: b W_U + b_U."""
        norm = self.model.ln_final
        bias = self.model.b_U.double()
        return bias + norm.b.double() @ self.model.W_U.double() if isinstance(norm, LayerNorm) else bias

    @property
    def scale(self) -> Float64[Tensor, "batch slot 1"]:
        """Return σ; without a norm it is 1."""
        ones = torch.ones(*self.windows.mask.shape, 1, dtype=torch.float64, device=self.windows.mask.device)
        return self.seen["ln_final.hook_scale"].double() if "ln_final.hook_scale" in self.seen else ones

    def read(self, rows: Float[Tensor, "*shape d_model"]) -> Float64[Tensor, "*shape action"]:
        """Return what rows add to the logits, but for the scale."""
        return rows.double() @ self.matrix


def _components(run: _Run, grain: Grain) -> dict[str, Tensor]:
    """Return the components that add up to the residual stream, in the order in which they are written."""
    first = 0
    components = {name: run.seen[f"hook_{name}"] for name in EMBEDDINGS if f"hook_{name}" in run.seen}
    if isinstance(grain, ByFeature) and grain.site != OBSERVATION_EMBEDDING:
        first = int(grain.site.split(".")[1]) + grain.site.endswith("post")
        components = {grain.site: run.seen[grain.site]}
    for layer in range(first, run.model.cfg.n_layers):
        components |= {f"{layer}_{kind}": run.seen[f"blocks.{layer}.hook_{kind}"] for kind in ("attn_out", "mlp_out")}
    if isinstance(grain, ByFeature) and grain.site.endswith("mid"):
        del components[f"{first}_attn_out"]  # it is in the site already
    return components


def _finer(run: _Run, grain: Grain) -> dict[str, _Parts]:
    """Return the components that the grain takes apart, by name."""
    layers = range(run.model.cfg.n_layers)
    match grain:
        case ByComponent():
            return {}
        case ByHead():
            return {f"{layer}_attn_out": _heads(run, layer) for layer in layers}
        case ByNeuron():
            return {f"{layer}_mlp_out": _neurons(run, layer) for layer in layers}
        case ByItem():
            return {"obs_embed": _items(run)}
        case ByFeature(site):
            return {"obs_embed" if site == OBSERVATION_EMBEDDING else site: _features(run, grain)}
        case _:
            assert_never(grain)


def _whole(run: _Run, name: str, rows: Float[Tensor, "batch slot d_model"]) -> _Parts:
    return _Parts((name,), run.read(rows)[None])


def _heads(run: _Run, layer: int) -> _Parts:
    result = rearrange(run.seen[f"blocks.{layer}.attn.hook_result"], "batch slot head d -> head batch slot d")
    bias = run.model.layers[layer].attn.b_O.expand(1, *result.shape[1:])
    names = [f"L{layer}H{head}" for head in range(len(result))]
    return _Parts((*names, f"{layer}_b_O"), run.read(torch.cat([result, bias])))


def _neurons(run: _Run, layer: int) -> _Parts:
    mlp = run.model.layers[layer].mlp
    post = run.seen[f"blocks.{layer}.mlp.hook_post"]
    rest = mlp.b_out.expand(*post.shape[:2], -1)
    return _combined(run, [f"L{layer}N{n}" for n in range(len(mlp.W_out))], post, mlp.W_out, (f"{layer}_b_out", rest))


def _items(run: _Run) -> _Parts:
    shown = run.items[run.windows.frame_id]  # batch slot item
    if run.model.cfg.attend_to_padding:
        shown = shown * run.windows.mask[..., None]
    W_obs = run.model.W_obs
    rest = run.seen[OBSERVATION_EMBEDDING] - shown @ W_obs  # nothing, unless a hook was there
    return _combined(run, [f"item {item}" for item in range(len(W_obs))], shown, W_obs, ("rest", rest))


def _features(run: _Run, grain: ByFeature) -> _Parts:
    rest = run.seen[grain.site] - grain.value @ grain.W_dec
    return _combined(
        run, [f"feature {feature}" for feature in range(len(grain.W_dec))], grain.value, grain.W_dec, ("rest", rest)
    )


def _combined(
    run: _Run,
    names: Sequence[str],
    amount: Float[Tensor, "batch slot part"],
    direction: Float[Tensor, "part d_model"],
    rest: tuple[str, Float[Tensor, "batch slot d_model"]],
) -> _Parts:
    """Return so much of each direction as parts, and what is left over as one more."""
    each = einsum(amount.double(), run.read(direction), "batch slot part, part action -> part batch slot action")
    return _Parts((*names, rest[0]), torch.cat([each, run.read(rest[1])[None]]))


def _names(model: DecisionTransformer, grain: Grain) -> list[str]:
    """Return the hooks to listen at; a model has not all of them."""
    blocks = ["hook_attn_out", "hook_mlp_out"]
    match grain:
        case ByHead():
            blocks.append("attn.hook_result")
        case ByNeuron():
            blocks.append("mlp.hook_post")
        case _:
            pass
    names = [f"blocks.{layer}.{name}" for layer in range(model.cfg.n_layers) for name in blocks]
    names += [f"hook_{name}" for name in EMBEDDINGS] + ["ln_final.hook_scale"]
    names += [grain.site] if isinstance(grain, ByFeature) else []
    return [name for name in dict.fromkeys(names) if name in model.hook_dict]


def _keeping(seen: dict[str, Tensor], model: DecisionTransformer, name: str) -> Hook:
    """Return the hook that keeps an activation at observation tokens."""
    is_by_slot = name in (OBSERVATION_EMBEDDING, "hook_time_embed")

    def keep(activation: Tensor, **_: HookPoint) -> None:
        seen[name] = activation if is_by_slot else activation[:, model.cfg.observation_tokens]

    return name, keep


def _check(model: DecisionTransformer, windows: Windows, grain: Grain) -> None:
    if not isinstance(grain, ByFeature):
        return
    require_among(stream_sites(model), grain.site)
    expected = (*windows.mask.shape, len(grain.W_dec))
    if grain.value.shape != expected or grain.W_dec.shape[1] != model.cfg.d_model:
        raise UserError(
            f"the features have values of shape {tuple(grain.value.shape)} and directions of shape "
            f"{tuple(grain.W_dec.shape)}, expected {expected} and {(len(grain.W_dec), model.cfg.d_model)}: "
            "encode the rows of these windows with a dictionary of this model."
        )
