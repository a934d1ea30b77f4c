"""The class-mates that move a decision most when they stand in for every observation of its window, by search."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from dtinterp.dataset.windows import Windows, concatenate
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.model.network.history_logits import Asked
from dtinterp.model.network.prefix_tree import PlacedHistories

BATCH = 256
"""Windows per forward pass."""


@dataclass(frozen=True)
class WorstMembers:
    """What the search found at some histories."""

    intact: Float32[Tensor, "history action"]
    shown: Float32[Tensor, "history action"]
    """logits under the members that move the decision most"""
    frame_id: Int64[Tensor, "history slot"]
    """what is shown then; pads hold 0"""


@torch.no_grad()
def worst_members(
    asked: Asked, windows: Windows, label: Int64[Tensor, " frame"], *, most_sweeps: int = 3
) -> WorstMembers:
    """Return, for each window, class-mates of all its observations under which its last decision moves far.

    A greedy coordinate search: slot by slot, the newest first, each member of the class is tried while the other slots
    stay as they were found, until a sweep over all slots changes nothing, or `most_sweeps` are done. What it finds is a
    lower bound of the worst. `label` is the class of each row of the coded frame table.
    """
    intact = _last_logits(asked, windows)
    found, moved = windows, torch.zeros(len(windows), dtype=torch.float64)
    for _ in range(most_sweeps):
        before = found.frame_id
        for slot in reversed(range(windows.n_slots)):
            found, moved = _turned(asked, found, moved, slot, intact=intact, label=label)
        if torch.equal(found.frame_id, before):
            break
    return WorstMembers(intact, _last_logits(asked, found), found.frame_id)


def windows_at(histories: PlacedHistories, chosen: Int64[Tensor, " chosen"], asked: Asked) -> Windows:
    """Return the windows of some histories, which are given in order, so that they are in order of time."""
    tree, node = histories.tree, histories.node[chosen]
    parts = []
    for time in range(len(tree.n_at)):
        at = tree.at(time)
        rows = node[(node >= at.start) & (node < at.stop)]
        n_slots = asked.model.cfg.n_slots
        parts.append(tree.windows(rows, time=time, n_slots=n_slots, target_return=asked.target_return))
    return concatenate(parts)


def _turned(
    asked: Asked,
    windows: Windows,
    moved: Float64[Tensor, " batch"],
    slot: int,
    *,
    intact: Float32[Tensor, "batch action"],
    label: Int64[Tensor, " frame"],
) -> tuple[Windows, Float64[Tensor, " batch"]]:
    """Put in each window, at one slot, the class-mate that moves the decision furthest."""
    shown = windows.frame_id[:, slot]
    is_mate = (label[shown][:, None] == label) & windows.mask[:, slot][:, None]  # batch frame
    row, mate = is_mate.scatter(1, shown[:, None], False).nonzero(as_tuple=True)
    if not len(row):
        return windows, moved
    tried = windows[row]
    frame_id = tried.frame_id.clone()
    frame_id[:, slot] = mate
    divergence = js_divergence(_last_logits(asked, replace(tried, frame_id=frame_id)), intact[row])
    best = moved.scatter_reduce(0, row, divergence, reduce="amax")
    wins = (divergence == best[row]) & (divergence > moved[row])
    chosen = windows.frame_id.clone()
    chosen[row[wins], slot] = mate[wins]
    return replace(windows, frame_id=chosen), best


def _last_logits(asked: Asked, windows: Windows) -> Float32[Tensor, "batch action"]:
    device = asked.items.device
    parts = [windows[start : start + BATCH].to(device) for start in range(0, len(windows), BATCH)]
    return torch.cat([asked.model(part, asked.items)[:, -1].cpu() for part in parts])
