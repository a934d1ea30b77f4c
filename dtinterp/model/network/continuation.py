"""Logits of many windows that differ in a single observation, what lies before it computed once.

A swap at slot s leaves every token before the observation of s as it is, in every layer. So the keys and values of
those tokens are computed once for all stand-ins, and a stand-in costs only the tokens from its own on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Float32
from torch import Tensor
from torch.nn import functional

from dtinterp.dataset.windows import Windows
from dtinterp.model.network.hooks_active import is_listened_to
from dtinterp.model.network.layers import Block
from dtinterp.model.network.transformer import DecisionTransformer

BATCH = 128
"""Stand-ins per forward pass: on a CPU larger batches fall out of its cache, and memory stays flat."""


@dataclass(frozen=True)
class Layer:
    """What one block holds of a window that nobody swapped anything in."""

    block: Block
    x: Float[Tensor, "token d_model"]
    """the residual stream that the block reads"""
    k: Float[Tensor, "head past d_head"]
    """keys of the tokens before the observation that is swapped, pads that nothing attends to left out"""
    v: Float[Tensor, "head past d_head"]


@dataclass(frozen=True)
class Continuation:
    """A window up to the observation at one slot, ready to go on with another one in its place."""

    model: DecisionTransformer
    layers: tuple[Layer, ...]
    last: Float[Tensor, "token d_model"]
    """the residual stream after the last block"""
    allowed: Bool[Tensor, "query key"]
    """which of the tokens from the swapped one on may attend to which, those before it first, without unread pads"""
    place: int
    """the token that is swapped"""
    beside: Float[Tensor, " d_model"]
    """what is added to an observation's embedding there: the time, and the position where the model has one"""

    @torch.no_grad()
    def logits(
        self, embedding: Float32[Tensor, "batch d_model"], *, layer: int = 0
    ) -> Float[Tensor, "batch decision action"]:
        """Return the logits at the swapped slot and at all later ones with each embedding in the observation's place.

        With `layer`, what is swapped is the residual stream that this block reads at the observation's token, as it is
        where the embedding stands in the window; all other tokens enter that block as they were. The number of blocks
        stands for the stream after the last one.
        """
        parts = [self._go_on(self._arrive(part, layer), layer) for part in embedding.split(BATCH)]
        return torch.cat(parts)

    def _arrive(self, embedding: Float32[Tensor, "batch d_model"], layer: int) -> Float[Tensor, "batch 1 d_model"]:
        """Return the residual stream at the swapped token after so many blocks; it sees only the past and itself."""
        x = (embedding + self.beside)[:, None]  # batch 1 d_model
        for passed in self.layers[:layer]:
            x = _transformed(passed, x, self.allowed[:1, : self._n_past + 1], slice(None))
        return x

    def _go_on(self, swapped: Float[Tensor, "batch 1 d_model"], layer: int) -> Float[Tensor, "batch decision action"]:
        streams = [each.x for each in self.layers] + [self.last]
        rest = streams[layer][self.place + 1 :].expand(len(swapped), -1, -1)
        x = torch.cat([swapped, rest], dim=1)  # batch remaining d_model
        decisions = slice(0, None, self.model.cfg.tokens_per_slot)
        for index, each in enumerate(self.layers[layer:], start=layer):
            is_last = index == len(self.layers) - 1
            x = _transformed(each, x, self.allowed, decisions if is_last else slice(None))
        if layer == len(self.layers):
            x = x[:, decisions]
        return functional.linear(self.model.ln_final.fused(x), self.model.W_U.T, self.model.b_U)

    @property
    def _n_past(self) -> int:
        return self.layers[0].k.shape[1]


@torch.no_grad()
def continuation(
    model: DecisionTransformer, window: Windows, items: Float32[Tensor, "table item"], slot: int
) -> Continuation:
    """Return the one window, ready to go on with another observation at `slot`, counted from 0.

    `items` is the coded frame table. Raises ValueError where `slot` is padding or a hook listens: most is not computed.
    """
    if is_listened_to(model):
        raise ValueError("a hook listens to the model, but a continuation computes part of a window only: take it off")
    if len(window) != 1 or not window.mask[0, slot]:
        raise ValueError(f"slot {slot} of {len(window)} windows: expected one window and a slot that is no padding")
    shown, row = window.frame_id.unique(return_inverse=True)  # a window shows few of the table's frames
    window, items = replace(window, frame_id=row), items[shown]
    place = int(range(model.cfg.n_ctx)[model.cfg.observation_tokens][slot])
    allowed = model.allowed(window.mask)
    first = int(allowed[0, place].int().argmax())  # pads before it are seen by nobody from here on
    blank = model.tokens(replace(window, frame_id=torch.zeros_like(window.frame_id)), torch.zeros_like(items[:1]))
    x = model.tokens(window, items)
    layers = []
    for block in model.layers:
        past = block.ln1.fused(x[:, first:place])
        layers.append(Layer(block, x[0], *(project(past)[0] for project in _keys_and_values(block))))
        x = block(x, allowed, slice(None))
    return Continuation(model, tuple(layers), x[0], allowed[0, place:, first:], place, blank[0, place])


Projection = Callable[[Float[Tensor, "batch token d_model"]], Float[Tensor, "batch head token d_head"]]


def _keys_and_values(block: Block) -> tuple[Projection, Projection]:
    attn = block.attn
    return _projection(attn.W_K, attn.b_K), _projection(attn.W_V, attn.b_V)


def _projection(weight: Float[Tensor, "head d_model d_head"], bias: Float[Tensor, "head d_head"]) -> Projection:
    joined, added = rearrange(weight, "head d_model d_head -> (head d_head) d_model"), bias.flatten()

    def project(x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch head token d_head"]:
        flat = functional.linear(x, joined, added)
        return rearrange(flat, "batch token (head d_head) -> batch head token d_head", head=len(weight))

    return project


def _transformed(
    layer: Layer, x: Float[Tensor, "batch remaining d_model"], allowed: Bool[Tensor, "query key"], queries: slice
) -> Float[Tensor, "batch chosen d_model"]:
    """Pass the tokens from the swapped one on through a block whose past is known."""
    block, attn = layer.block, layer.block.attn
    normed = block.ln1.fused(x)
    q = _projection(attn.W_Q, attn.b_Q)(normed[:, queries])
    k, v = (
        torch.cat([past.expand(len(x), -1, -1, -1), project(normed)], dim=2)
        for past, project in zip((layer.k, layer.v), _keys_and_values(block), strict=True)
    )
    z = functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed[queries])
    joined = rearrange(z, "batch head query d_head -> batch query (head d_head)")
    weight = rearrange(attn.W_O, "head d_head d_model -> d_model (head d_head)")
    x = x[:, queries] + functional.linear(joined, weight, attn.b_O)
    return x + block.mlp.fused(block.ln2.fused(x))
