"""A block's pass over new tokens, when the keys and values of those before them are known."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from dtinterp.model.network.layers import Block

Projection = Callable[[Float[Tensor, "batch token d_model"]], Float[Tensor, "batch head token d_head"]]


@dataclass(frozen=True)
class KeysAndValues:
    """What later tokens read of earlier ones in one block."""

    k: Float[Tensor, "batch head token d_head"]
    v: Float[Tensor, "batch head token d_head"]

    def __getitem__(self, chosen: Tensor | slice) -> "KeysAndValues":
        """Return those of some windows."""
        return KeysAndValues(self.k[chosen], self.v[chosen])

    def each(self, n_parts: int) -> "KeysAndValues":
        """Return those of each of the equal parts that the tokens of a window fall into, as windows of their own."""
        apart = "batch head (part token) d_head -> (batch part) head token d_head"
        return KeysAndValues(rearrange(self.k, apart, part=n_parts), rearrange(self.v, apart, part=n_parts))

    def followed_by(self, other: "KeysAndValues") -> "KeysAndValues":
        """Return these, and then the other ones, window by window."""
        return KeysAndValues(torch.cat([self.k, other.k], dim=2), torch.cat([self.v, other.v], dim=2))


@dataclass(frozen=True)
class Passed:
    """What comes out of a block."""

    x: Float[Tensor, "batch chosen d_model"]
    """the residual stream after it, at the tokens that were asked for"""
    held: KeysAndValues
    """of the new tokens"""


def pass_on(
    block: Block,
    x: Float[Tensor, "batch new d_model"],
    past: KeysAndValues,
    *,
    allowed: Bool[Tensor, "new key"],
    queries: slice,
) -> Passed:
    """Pass new tokens through a block; keys are the past's first, then their own. No hook is called."""
    attn, normed = block.attn, block.ln1.fused(x)
    q = projection(attn.W_Q, attn.b_Q)(normed[:, queries])
    held = keys_and_values(block, normed)
    seen = past.followed_by(held)
    z = functional.scaled_dot_product_attention(q, seen.k, seen.v, attn_mask=allowed[queries])
    joined = rearrange(z, "batch head query d_head -> batch query (head d_head)")
    weight = rearrange(attn.W_O, "head d_head d_model -> d_model (head d_head)")
    x = x[:, queries] + functional.linear(joined, weight, attn.b_O)
    return Passed(x + block.mlp.fused(block.ln2.fused(x)), held)


def keys_and_values(block: Block, normed: Float[Tensor, "batch token d_model"]) -> KeysAndValues:
    """Return what tokens offer to later ones; `normed` is what the attention reads."""
    attn = block.attn
    return KeysAndValues(projection(attn.W_K, attn.b_K)(normed), projection(attn.W_V, attn.b_V)(normed))


def projection(weight: Float[Tensor, "head d_model d_head"], bias: Float[Tensor, "head d_head"]) -> Projection:
    """Return the map to one vector per head."""
    joined, added = rearrange(weight, "head d_model d_head -> (head d_head) d_model"), bias.flatten()

    def project(x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch head token d_head"]:
        flat = functional.linear(x, joined, added)
        return rearrange(flat, "batch token (head d_head) -> batch head token d_head", head=len(weight))

    return project
