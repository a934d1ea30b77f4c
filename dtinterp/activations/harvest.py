"""A model and windows become one row per real slot, with its step and slot."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.activations.sites import check_site, slots_at, splice
from dtinterp.dataset.windows import Windows
from dtinterp.model.policy import Hook
from dtinterp.model.transformer import DecisionTransformer

BATCH = 1024
"""Windows per forward pass; memory stays flat whatever the number of windows."""


@dataclass(frozen=True)
class Activations:
    """Rows harvested at one site."""

    value: Float32[Tensor, "row d_model"]
    step: Int64[Tensor, " row"]
    """flat step in the trajectories; -1 where the window was made by hand"""
    slot: Int64[Tensor, " row"]
    """place in the window, counted from 0"""
    site: str


RowEdit = Callable[[Float32[Tensor, "row d_model"]], Float32[Tensor, "row d_model"]]
"""New rows for old ones, each from itself alone."""


@torch.no_grad()
def harvest(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"], site: str
) -> Activations:
    """Return the rows at `site` of all real slots: windows in order, slots in order."""
    check_site(model, site)
    parts: list[Tensor] = []
    for start in range(0, len(windows), BATCH):
        batch = windows[start : start + BATCH]

        def keep(activation: Tensor, hook: HookPoint, mask: Tensor = batch.mask) -> None:  # noqa: ARG001
            parts.append(slots_at(site, activation)[mask])

        model.run_with_hooks(batch, items, fwd_hooks=[(site, keep)])
    slot = torch.arange(windows.n_slots).expand_as(windows.step)
    return Activations(torch.cat(parts), windows.step[windows.mask], slot[windows.mask], site)


@torch.no_grad()
def logits_at_rows(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "frame item"],
    *,
    site: str,
    edit: RowEdit | None,
) -> Float32[Tensor, "row action"]:
    """Return the action logits at all real slots, in `harvest`'s order, with every row at `site` edited (None: left alone)."""
    check_site(model, site)
    hooks: list[Hook] = [] if edit is None else [splice(site, _by_rows(edit))]
    parts = []
    for start in range(0, len(windows), BATCH):
        batch = windows[start : start + BATCH]
        parts.append(model.run_with_hooks(batch, items, fwd_hooks=hooks)[batch.mask])
    return torch.cat(parts)


def _by_rows(edit: RowEdit) -> Callable[[Tensor], Tensor]:
    return lambda vectors: edit(vectors.flatten(0, 1)).view_as(vectors)
