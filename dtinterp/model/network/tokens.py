"""The order of tokens: R1 S1 A1 … R10 S10, and who may look at whom."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float32
from torch import Tensor

from dtinterp.foundation.errors import UserError

TOKENS_PER_SLOT = 3


def n_slots_of(n_ctx: int) -> int:
    """Return the slots in a sequence of `n_ctx` tokens, whose last action is left out.

    Raises `UserError` where no whole number of slots fits (2, 5, 8, … 29 do).
    """
    if n_ctx < 2 or (n_ctx - 2) % TOKENS_PER_SLOT:
        raise UserError(f"n_ctx is {n_ctx}, expected 2, 5, 8, … (three tokens a slot, the last action left out).")
    return 1 + n_ctx // TOKENS_PER_SLOT


def interleave(*kinds: Float32[Tensor, "batch slot d_model"]) -> Float32[Tensor, "batch token d_model"]:
    """Return the kinds of token slot by slot, R S A R S A …, without the last one."""
    tokens = rearrange(torch.stack(kinds, dim=2), "batch slot kind d_model -> batch (slot kind) d_model")
    return tokens[:, :-1]


def token_of_slot(slot: int) -> int:
    """Return the observation token of a slot (both counted from 0)."""
    return TOKENS_PER_SLOT * slot + 1


def allowed_attention(
    mask: Bool[Tensor, "batch slot"], tokens_per_slot: int = TOKENS_PER_SLOT
) -> Bool[Tensor, "batch query key"]:
    """Return who may attend to whom: real tokens look back at real tokens, and every token at itself.

    A pad looks at itself alone, so that its row of the softmax is not empty; nothing reads what comes out of it.
    """
    real = mask.repeat_interleave(tokens_per_slot, dim=1)[:, :-1]  # batch token
    n_tokens = real.shape[1]
    itself = torch.eye(n_tokens, dtype=torch.bool, device=mask.device)
    causal = torch.ones(n_tokens, n_tokens, dtype=torch.bool, device=mask.device).tril()
    return (causal & real[:, None, :]) | itself
