"""Counts become bits: how long it takes to say when a feature fires, with a label and without."""

from functools import cache

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor


def saved_bits(
    n_both: Int64[Tensor, "*shape"],
    n_said: Int64[Tensor, "*shape"],
    *,
    n_fires: Int64[Tensor, "*shape"],
    n_rows: int,
) -> Float32[Tensor, "*shape"]:
    """Return how many bits a label saves in telling which of `n_rows` rows a feature fires in, its own length not paid.

    Known is in how many rows k it fires (`n_fires`). Without a label the pattern takes log2 C(n, k) bits. With one that
    is said of m rows (`n_said`), t of which fire (`n_both`), it takes

        log2(min(m, k) + 1) + log2 C(m, t) + log2 C(n - m, k - t).

    Both are lengths of a prefix code (Grünwald 2007, The Minimum Description Length Principle, ch. 3). So once labels
    are paid for with a prefix code too, at most a share 2^-b of all patterns with k firings can save b bits or more
    with any label of the language: that is the chance for a shuffled feature.
    """
    table = _log2_factorial(n_rows).to(n_both.device)

    def log2_choose(n: Tensor, k: Tensor) -> Float64[Tensor, "*shape"]:
        return table[n] - table[k] - table[n - k]

    without = log2_choose(torch.full_like(n_fires, n_rows), n_fires)
    share = (torch.minimum(n_said, n_fires) + 1).double().log2()
    told = share + log2_choose(n_said, n_both) + log2_choose(n_rows - n_said, n_fires - n_both)
    return (without - told).float()


@cache
def _log2_factorial(n: int) -> Float64[Tensor, " number"]:
    """Return log2 of 0! to n!."""
    return torch.cat(
        [torch.zeros(1, dtype=torch.float64), torch.arange(1, n + 1, dtype=torch.float64).log2().cumsum(0)]
    )
