"""How far decisions move, over all histories of a tree, when something else is shown at every slot."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.equivalence.swaps.divergence import js_divergence
from environments.graph.plays import ROOT, PlayTree

AT_ONCE = 1_000_000
"""Histories whose divergences are computed together."""


@dataclass(frozen=True)
class Shift:
    """How far the decisions of some histories moved."""

    n_histories: int
    n_replaced: int
    """of these, the ones in whose windows any observation was shown as another one; the others cannot move"""
    n_beyond: int
    """decisions that moved by more than epsilon"""
    mean: float
    """Jensen-Shannon divergence in bits, over all histories"""
    maximum: float
    agreement: float
    """share of all histories whose most likely action stayed: interchange accuracy"""
    worst: int
    """the history whose decision moved most, by its number in the tree"""

    @property
    def beyond(self) -> float:
        """Share of all histories whose decision moved by more than epsilon."""
        return self.n_beyond / self.n_histories


def shift_of(
    intact: Float32[Tensor, "history action"],
    shown: Float32[Tensor, "history action"],
    replaced: Bool[Tensor, " history"],
    *,
    epsilon: float,
    history: Int64[Tensor, " history"] | None = None,
) -> Shift:
    """Compare the logits with what was shown in their place; `history` numbers the rows where they are not all."""
    parts = zip(intact.split(AT_ONCE), shown.split(AT_ONCE), strict=True)
    divergence = torch.cat([js_divergence(one, other) for one, other in parts])
    worst = int(divergence.argmax())
    return Shift(
        n_histories=len(intact),
        n_replaced=int(replaced.sum()),
        n_beyond=int((divergence > epsilon).sum()),
        mean=float(divergence.mean()),
        maximum=float(divergence[worst]),
        agreement=float((intact.argmax(1) == shown.argmax(1)).double().mean()),
        worst=worst if history is None else int(history[worst]),
    )


def replaced_in_windows(
    tree: PlayTree, is_replaced: Bool[Tensor, " history"], *, n_slots: int
) -> Bool[Tensor, " history"]:
    """Return whether the window that ends at each history holds an observation that is shown as another one."""
    found, step = is_replaced.clone(), np.arange(len(tree), dtype=np.int32)
    for _ in range(min(n_slots - 1, int(tree.time.max()))):
        step = np.where(step == ROOT, ROOT, tree.parent[step])
        found |= is_replaced[torch.from_numpy(step).long()] & torch.from_numpy(step != ROOT)
    return found
