"""A model and windows become one row per real slot, with its step and slot, in memory or as a stream."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.activations.sites import SlotEdit, check_site, slots_at, splice
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.model.policy import Hook
from dtinterp.model.transformer import DecisionTransformer

BATCH = 1024
"""Windows per forward pass; memory stays flat whatever the number of windows."""


@dataclass(frozen=True)
class Activations:
    """Rows harvested at one site."""

    value: Float32[Tensor, "row column"]
    """one column per number at the site: d_model in the residual stream"""
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
    """Return the rows at `site` of all real slots: windows in order, slots in order.

    `items` is the coded frame table that `windows.frame_id` points into. Raises `UserError` for a site that
    the model does not have.
    """
    parts = list(harvested(model, [windows], items, site))
    if not parts:
        raise UserError("there are no windows to run the model on: choose at least one.")
    columns = {name: torch.cat([getattr(part, name) for part in parts]) for name in ("value", "step", "slot")}
    return Activations(**columns, site=site)


def harvested(
    model: DecisionTransformer, windows: Iterable[Windows], items: Float32[Tensor, "frame item"], site: str
) -> Iterator[Activations]:
    """Yield the rows of some windows at a time, in `harvest`'s order; nothing that was yielded is held."""
    check_site(model, site)
    for part in windows:
        for batch in _batches(part, items):
            rows: list[Tensor] = []
            hook = _keeping(rows, site, batch.mask, model.cfg.observation_tokens)
            with torch.no_grad():
                model.run_with_hooks(batch, items, fwd_hooks=[hook])
            slot = torch.arange(batch.n_slots, device=batch.step.device).expand_as(batch.step)
            yield Activations(rows.pop(), batch.step[batch.mask].cpu(), slot[batch.mask].cpu(), site)


@torch.no_grad()
def logits_at_rows(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "frame item"],
    *,
    site: str,
    edit: RowEdit | None,
) -> Float32[Tensor, "row action"]:
    """Return the action logits at all real slots, in `harvest`'s order, with every row at `site` edited.

    The edit sees the rows that `harvest` returns, some windows' worth at a time; without one the model is left alone.
    """
    check_site(model, site)
    if len(windows) == 0:
        raise UserError("there are no windows to run the model on: choose at least one.")
    logits, tokens = [], model.cfg.observation_tokens
    for batch in _batches(windows, items):
        hooks = [] if edit is None else [splice(site, _at_real_slots(edit, batch.mask), tokens)]
        logits.append(model.run_with_hooks(batch, items, fwd_hooks=[*hooks])[batch.mask].cpu())
    return torch.cat(logits)


def _batches(windows: Windows, items: Float32[Tensor, "frame item"]) -> Iterator[Windows]:
    for start in range(0, len(windows), BATCH):
        yield windows[start : start + BATCH].to(items.device)


def _keeping(rows: list[Tensor], site: str, mask: Bool[Tensor, "batch slot"], tokens: slice) -> Hook:
    """Return the hook that appends the rows of real slots to `rows`."""

    def keep(activation: Float32[Tensor, "*activation"], **_: HookPoint) -> None:
        rows.append(slots_at(site, activation, tokens)[mask].cpu())

    return site, keep


def _at_real_slots(edit: RowEdit, mask: Bool[Tensor, "batch slot"]) -> SlotEdit:
    def change(vectors: Float32[Tensor, "batch slot d_model"]) -> Float32[Tensor, "batch slot d_model"]:
        edited = vectors.clone()
        edited[mask] = edit(vectors[mask])
        return edited

    return change
