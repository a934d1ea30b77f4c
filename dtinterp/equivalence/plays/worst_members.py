"""The class-mates that move a decision most when they stand in for every observation of its window, by search."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dataset.windows import Windows, concatenate
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.swaps.joint import NOT_COMPARED, ComparedHistories, Player, worst_found
from dtinterp.model.network.history_logits import Asked
from dtinterp.model.network.prefix_tree import PlacedHistories


@dataclass(frozen=True)
class WorstMembers:
    """What the search found at some histories."""

    intact: Float32[Tensor, "history action"]
    shown: Float32[Tensor, "history action"]
    """logits under the members that move the decision most"""
    frame_id: Int64[Tensor, "history slot"]
    """what is shown then; pads hold 0"""


def worst_members(
    asked: Asked, windows: Windows, label: Int64[Tensor, " frame"], *, most_sweeps: int = 3
) -> WorstMembers:
    """Return, for each window, class-mates of all its observations under which its last decision moves far.

    They are those of `worst_found`, from the window as it is. `label` is the class of each row of the frame table.
    """
    player = Player(asked.model, asked.items, torch.arange(len(label)))
    histories = ComparedHistories(windows, torch.where(windows.mask, windows.frame_id, NOT_COMPARED))
    intact, classes = player.logits(windows), partition_of(label, "classes")
    found = worst_found(player, histories, classes, intact, begun=histories.place, most_sweeps=most_sweeps)
    shown = player.shown(histories, found)
    return WorstMembers(intact, player.logits(shown), shown.frame_id)


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
