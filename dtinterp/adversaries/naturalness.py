"""How natural sets of edits are: cells from what the world shows and could show, and the likelihood of what they show.

All three are sums over the cells that are changed, and edits of a set change different cells. So they are worked out
once for each edit, and of a set they are sums:

    cells to a window w  =  cells from the original to w  +  Σ over edits of (differing after − differing before)
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from dtinterp.adversaries.cell_model import CellModel, contents
from dtinterp.adversaries.edits.observation_edit import EditTable
from dtinterp.adversaries.scene import Scene

Reach: TypeAlias = Literal["any", "shown", "possible"]
"""What edited windows must be: `shown`: each frame is one that the world shows somewhere; `possible`: the world could
show just this window under the same actions."""
NO_SUCH = 1_000_000
"""Cells to what does not exist."""
IN_A_PIECE = 4096
"""Sets whose distances are held at once."""


@dataclass(frozen=True)
class Budget:
    """What sets of edits may cost."""

    n_edits: int
    reach: Reach = "any"
    least_log_likelihood: float | None = None
    """nats that the edited window may be less likely than the original by, below 0; None allows any"""


@dataclass(frozen=True, eq=False)
class Naturalness:
    """What each edit costs, so that sets of them are judged by sums."""

    table: EditTable
    log_likelihood: Float64[Tensor, " edit"]
    """nats that each edit adds to the window's"""
    to_possible: Int64[Tensor, "edit history"]
    """cells that each edit takes the window away from each possible one; negative where it comes nearer"""
    possible: Int64[Tensor, " history"]
    """cells between the original window and each possible one"""
    same_best: Bool[Tensor, " history"]
    """which of them end where the same actions are best as in the original"""
    to_shown: tuple[Int64[Tensor, "edit graph_frame"], ...]
    """the same as `to_possible` for the frame at each real slot and all frames of the world"""
    shown: Int64[Tensor, "real graph_frame"]

    def nats(self, sets: Int64[Tensor, "candidate size"]) -> Float64[Tensor, " candidate"]:
        """Return how much likelier each edited window is than the original, in nats; mostly below 0."""
        return _summed(self.log_likelihood[:, None], sets)[:, 0]

    def cells_from_possible(self, sets: Int64[Tensor, "candidate size"]) -> Int64[Tensor, "candidate history"]:
        """Return how many cells each edited window is from each one that the world could show."""
        return self.possible + _summed(self.to_possible, sets)

    def cells_from_same(self, sets: Int64[Tensor, "candidate size"]) -> Int64[Tensor, " candidate"]:
        """Return the cells to the nearest possible window at whose end the same is best as at the original's."""
        return self.cells_from_possible(sets)[:, self.same_best].min(1).values

    def cells_from_other(self, sets: Int64[Tensor, "candidate size"]) -> Int64[Tensor, " candidate"]:
        """Return the cells to the nearest one at whose end something else is best; `NO_SUCH` where there is none."""
        others = self.cells_from_possible(sets)[:, ~self.same_best]
        return others.min(1).values if others.shape[1] else torch.full((len(sets),), NO_SUCH)

    def keeps(self, sets: Int64[Tensor, "candidate size"]) -> Bool[Tensor, " candidate"]:
        """Return which edited windows are nearer to possible ones where the same is best than to any others."""
        return self.cells_from_same(sets) < self.cells_from_other(sets)

    def cells_from_shown(self, sets: Int64[Tensor, "candidate size"]) -> Int64[Tensor, " candidate"]:
        """Return how many cells the frames of each edited window are, together, from frames that the world shows."""
        parts = [
            sum(
                (each + _summed(change, part)).min(1).values
                for each, change in zip(self.shown, self.to_shown, strict=True)
            )
            for part in sets.split(IN_A_PIECE)
        ]
        return torch.cat([torch.as_tensor(part) for part in parts])

    def allows(self, sets: Int64[Tensor, "candidate size"], budget: Budget) -> Bool[Tensor, " candidate"]:
        """Return which sets change different cells and keep to a budget."""
        allowed = self.table.are_apart(sets)
        if budget.least_log_likelihood is not None:
            allowed &= self.nats(sets) >= budget.least_log_likelihood
        if budget.reach == "possible":
            allowed &= (self.cells_from_possible(sets) == 0).any(1)
        elif budget.reach == "shown":
            left = allowed.nonzero()[:, 0]
            allowed[left] = self.cells_from_shown(sets[left]) == 0
        return allowed


def naturalness(scene: Scene, table: EditTable, model: CellModel) -> Naturalness:
    """Work out what each edit of a scene costs."""
    before, after = contents(table.original).flatten(), contents(table.frames).flatten(1)  # [edit] cell
    time = scene.window.time[0, scene.first_slot :]
    likelihood = model.log_likelihood(table.frames, time) - model.log_likelihood(table.original, time)
    windows = contents(scene.possible).flatten(1)  # history cell
    shown = contents(scene.shown)  # graph_frame cell
    n_cells = shown.shape[1]
    slots = [slice(slot * n_cells, (slot + 1) * n_cells) for slot in range(scene.n_real)]
    return Naturalness(
        table=table,
        log_likelihood=likelihood.flatten(1).sum(1),
        to_possible=_moved_away(before, after, windows),
        possible=(windows != before).sum(1),
        same_best=(scene.best & scene.best[0]).any(1),
        to_shown=tuple(_moved_away(before[slot], after[:, slot], shown) for slot in slots),
        shown=torch.stack([(shown != before[slot]).sum(1) for slot in slots]),
    )


def _moved_away(
    before: Int64[Tensor, " cell"], after: Int64[Tensor, "edit cell"], others: Int64[Tensor, "other cell"]
) -> Int64[Tensor, "edit other"]:
    """Return by how many cells each edit takes something away from each other thing of its kind."""
    moved = torch.zeros(len(after), len(others), dtype=torch.int64)
    edit, cell = (after != before).nonzero().T
    change = (after[edit, cell, None] != others.T[cell]).long() - (before[cell, None] != others.T[cell]).long()
    return moved.index_add_(0, edit, change)


def _summed(costs: Tensor, sets: Int64[Tensor, "candidate size"]) -> Tensor:
    """Return the sum of each set's rows of costs; -1 stands for no edit."""
    padded = torch.cat([costs, torch.zeros_like(costs[:1])])
    return sum((padded[column] for column in sets.T), torch.zeros_like(costs[:1]).expand(len(sets), -1))
