"""Harvest of activations: one row per real slot, with its step and slot, in memory or as a stream."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.activations.sites import SlotEdit, check_site, slots_at, splice
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import Hook, HooksOf

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
FrameChoice = Callable[[Windows], Bool[Tensor, "batch slot"]]
"""Which slots of windows are edited; pads never are."""


def everywhere(windows: Windows) -> Bool[Tensor, "batch slot"]:
    """Choose every real slot."""
    return windows.mask


@torch.no_grad()
def harvest(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"], site: str
) -> Activations:
    """Return the rows at `site` of all real slots: windows in order, slots in order.

    `items` is the coded frame table that `windows.frame_id` points into. Raises `UserError` for a site that
    the model does not have.
    """
    return harvest_sites(model, windows, items, (site,))[0]


def harvest_sites(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"], sites: Sequence[str]
) -> list[Activations]:
    """Return what `harvest` does at each site, from one forward pass over the windows."""
    by_site = zip(*_passes(model, [windows], items, sites), strict=True)
    return [_joined(parts) for parts in by_site]


def harvested(
    model: DecisionTransformer, windows: Iterable[Windows], items: Float32[Tensor, "frame item"], site: str
) -> Iterator[Activations]:
    """Yield the rows of some windows at a time, in `harvest`'s order; nothing that was yielded is held."""
    for (rows,) in _passes(model, windows, items, (site,)):
        yield rows


@torch.no_grad()
def logits_at_rows(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "frame item"],
    *,
    site: str,
    edit: RowEdit | None,
    is_edited: FrameChoice = everywhere,
) -> Float32[Tensor, "row action"]:
    """Return the action logits at all real slots, in `harvest`'s order, with rows at `site` edited.

    The edit sees the rows that `harvest` returns, some windows' worth at a time; without one the model is left alone.
    """
    check_site(model, site)
    return logits_with_hooks(model, windows, items, Splice(model, site, edit, is_edited))


@torch.no_grad()
def logits_with_hooks(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"], hooks: HooksOf
) -> Float32[Tensor, "row action"]:
    """Return the action logits at all real slots, in `harvest`'s order, under the hooks of each batch."""
    logits = [
        model.run_with_hooks(batch, items, fwd_hooks=[*hooks(batch)])[batch.mask].cpu()
        for batch in batches(windows, items)
    ]
    return torch.cat(logits)


@dataclass(frozen=True)
class Splice:
    """What edits the rows at a site: called with windows, it returns the hooks for a run on just these."""

    model: DecisionTransformer
    site: str
    edit: RowEdit | None
    """None leaves the model alone"""
    is_edited: FrameChoice = everywhere

    def __call__(self, windows: Windows) -> list[Hook]:
        """Return no hook, or the one that edits real slots; pads stay as they are."""
        if self.edit is None:
            return []
        at = windows.mask & self.is_edited(windows)
        return [splice(self.site, _at(self.edit, at), self.model.cfg.observation_tokens)]


def batches(windows: Windows, items: Float32[Tensor, "frame item"]) -> Iterator[Windows]:
    """Yield the windows some at a time, on the device of `items`. Raises `UserError` where there are none."""
    if len(windows) == 0:
        raise UserError("there are no windows to run the model on: choose at least one.")
    for start in range(0, len(windows), BATCH):
        yield windows[start : start + BATCH].to(items.device)


def _passes(
    model: DecisionTransformer, windows: Iterable[Windows], items: Float32[Tensor, "frame item"], sites: Sequence[str]
) -> Iterator[tuple[Activations, ...]]:
    """Yield the rows of some windows at a time, at each site."""
    for site in sites:
        check_site(model, site)
    tokens = model.cfg.observation_tokens
    for part in windows:
        for batch in batches(part, items):
            rows: dict[str, list[Tensor]] = {site: [] for site in sites}
            hooks = [_keeping(kept, site, batch.mask, tokens) for site, kept in rows.items()]
            with torch.no_grad():
                model.run_with_hooks(batch, items, fwd_hooks=[*hooks])
            slot = torch.arange(batch.n_slots, device=batch.step.device).expand_as(batch.step)
            step, slot = batch.step[batch.mask].cpu(), slot[batch.mask].cpu()
            yield tuple(Activations(rows[site][0], step, slot, site) for site in sites)


def _joined(parts: Sequence[Activations]) -> Activations:
    columns = {name: torch.cat([getattr(part, name) for part in parts]) for name in ("value", "step", "slot")}
    return Activations(**columns, site=parts[0].site)


def _keeping(rows: list[Tensor], site: str, mask: Bool[Tensor, "batch slot"], tokens: slice) -> Hook:
    """Return the hook that appends the rows of real slots to `rows`."""

    def keep(activation: Float32[Tensor, "*activation"], **_: HookPoint) -> None:
        rows.append(slots_at(site, activation, tokens)[mask].cpu())

    return site, keep


def _at(edit: RowEdit, is_edited: Bool[Tensor, "batch slot"]) -> SlotEdit:
    def change(vectors: Float32[Tensor, "batch slot d_model"]) -> Float32[Tensor, "batch slot d_model"]:
        if not is_edited.any():
            return vectors
        edited = vectors.clone()
        edited[is_edited] = edit(vectors[is_edited])
        return edited

    return change
