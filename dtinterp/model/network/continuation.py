"""Logits of many windows that differ in a single observation, what lies before it computed once.

A swap at slot s leaves every token before the observation of s as it is, in every layer. So the keys and values of
those tokens are computed once for all stand-ins, and a stand-in costs only the tokens from its own on.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor
from torch.nn import functional

from dtinterp.dataset.windows import Windows
from dtinterp.model.network.cached_block import KeysAndValues, keys_and_values, pass_on
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
    past: KeysAndValues
    """of the tokens before the observation that is swapped, pads that nothing attends to left out"""

    def pass_on(
        self, x: Float[Tensor, "batch remaining d_model"], allowed: Bool[Tensor, "query key"], queries: slice
    ) -> Float[Tensor, "batch chosen d_model"]:
        """Pass the tokens from the swapped one on, all of them with the same past."""
        past = KeysAndValues(self.past.k.expand(len(x), -1, -1, -1), self.past.v.expand(len(x), -1, -1, -1))
        return pass_on(self.block, x, past, allowed=allowed, queries=queries).x


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

    def with_added(self, added: Float32[Tensor, "batch later d_model"]) -> Float[Tensor, "batch action"]:
        """Return the logits at the newest observation, with this added to the embeddings of observations.

        The first is added at the swapped slot, the next one at the slot after it, up to the newest. Gradients pass.
        """
        x = self.layers[0].x[self.place :].repeat(len(added), 1, 1)  # batch remaining d_model
        x[:, :: self.model.cfg.tokens_per_slot] += added
        for each in self.layers:
            is_last = each is self.layers[-1]
            x = each.pass_on(x, self.allowed, slice(-1, None) if is_last else slice(None))
        return functional.linear(self.model.ln_final.fused(x), self.model.W_U.T, self.model.b_U)[:, 0]

    def _arrive(self, embedding: Float32[Tensor, "batch d_model"], layer: int) -> Float[Tensor, "batch 1 d_model"]:
        """Return the residual stream at the swapped token after so many blocks; it sees only the past and itself."""
        x = (embedding + self.beside)[:, None]  # batch 1 d_model
        for passed in self.layers[:layer]:
            x = passed.pass_on(x, self.allowed[:1, : self._n_past + 1], slice(None))
        return x

    def _go_on(self, swapped: Float[Tensor, "batch 1 d_model"], layer: int) -> Float[Tensor, "batch decision action"]:
        streams = [each.x for each in self.layers] + [self.last]
        rest = streams[layer][self.place + 1 :].expand(len(swapped), -1, -1)
        x = torch.cat([swapped, rest], dim=1)  # batch remaining d_model
        decisions = slice(0, None, self.model.cfg.tokens_per_slot)
        for index, each in enumerate(self.layers[layer:], start=layer):
            is_last = index == len(self.layers) - 1
            x = each.pass_on(x, self.allowed, decisions if is_last else slice(None))
        if layer == len(self.layers):
            x = x[:, decisions]
        return functional.linear(self.model.ln_final.fused(x), self.model.W_U.T, self.model.b_U)

    @property
    def _n_past(self) -> int:
        return self.layers[0].past.k.shape[2]


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
        layers.append(Layer(block, x[0], keys_and_values(block, past)))
        x = block(x, allowed, slice(None))
    return Continuation(model, tuple(layers), x[0], allowed[0, place:, first:], place, blank[0, place])
