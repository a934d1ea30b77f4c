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


def fan_out(
    block: Block,
    x: Float[Tensor, "copy batch new d_model"],
    past: KeysAndValues,
    *,
    allowed: Bool[Tensor, "batch new key"],
    queries: slice,
) -> Float[Tensor, "copy batch chosen d_model"]:
    """Pass several versions of a window's new tokens through a block; all versions share its past, which is not copied.

    Returns the residual stream after it, at the tokens that are asked for. No hook is called.
    """
    attn, n_copies = block.attn, len(x)
    normed = block.ln1.fused(x.flatten(0, 1))
    apart = "(copy batch) head token d -> batch head copy token d"
    q = rearrange(projection(attn.W_Q, attn.b_Q)(normed[:, queries]), apart, copy=n_copies) / attn.W_Q.shape[-1] ** 0.5
    held = keys_and_values(block, normed)
    k, v = (rearrange(each, apart, copy=n_copies) for each in (held.k, held.v))
    to_past = (q.flatten(2, 3) @ past.k.mT).unflatten(2, (n_copies, -1))  # batch head copy chosen past
    scores = torch.cat([to_past, q @ k.mT], dim=-1)  # batch head copy chosen key
    pattern = scores.masked_fill(~allowed[:, None, None, queries], -torch.inf).softmax(-1)
    n_past = past.k.shape[2]
    z = (pattern[..., :n_past].flatten(2, 3) @ past.v).unflatten(2, (n_copies, -1)) + pattern[..., n_past:] @ v
    joined = rearrange(z, "batch head copy chosen d -> copy batch chosen (head d)")
    weight = rearrange(attn.W_O, "head d_head d_model -> d_model (head d_head)")
    x = x[:, :, queries] + functional.linear(joined, weight, attn.b_O)
    flat = x.flatten(0, 1)
    return (flat + block.mlp.fused(block.ln2.fused(flat))).unflatten(0, (n_copies, -1))


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
