"""Edits of a window's observations: what they change, in numbers that sets of edits can be judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ObservationEdit:
    """One edit of what a window shows: a thing placed, moved, recoloured, replaced or removed."""

    words: str
    """such as `place green ball at (4,2)`, cells as the frame has them"""
    frames: UInt8[Tensor, "real view view 3"]
    """the window with this edit alone"""
    first: int
    """the first real slot that it changes"""
    is_of_world: bool
    """whether one legal world shows all of it: every frame that has the cell in view is edited alike"""


@dataclass(frozen=True, eq=False)
class EditTable:
    """All edits that a search may combine. Sets of edits are rows of their numbers, -1 where a row has fewer."""

    edits: tuple[ObservationEdit, ...]
    original: UInt8[Tensor, "real view view 3"]
    frames: UInt8[Tensor, "edit real view view 3"]
    is_changed: Bool[Tensor, "edit cell"]
    """which cells of which frames each one changes, frame by frame"""
    first: Int64[Tensor, " edit"]

    def __len__(self) -> int:
        """Return the number of edits."""
        return len(self.edits)

    def words(self, chosen: Sequence[int]) -> tuple[str, ...]:
        """Return what the edits of a set are, in words."""
        return tuple(self.edits[index].words for index in chosen if index >= 0)

    def edited(self, sets: Int64[Tensor, "candidate size"]) -> UInt8[Tensor, "candidate real view view 3"]:
        """Return the windows with each set of edits; the edits of a set change different cells."""
        found = self.original.repeat(len(sets), 1, 1, 1, 1)
        is_changed = self.is_changed.unflatten(1, self.original.shape[:3])
        for column in sets.T:
            there = (column >= 0)[:, None, None, None] & is_changed[column]
            found = torch.where(there[..., None], self.frames[column], found)
        return found

    def are_apart(self, sets: Int64[Tensor, "candidate size"]) -> Bool[Tensor, " candidate"]:
        """Return which sets are of edits that change different cells, none of them twice."""
        apart = torch.ones(len(sets), dtype=torch.bool)
        for left in range(sets.shape[1]):
            for right in range(left):
                both = self._overlaps[sets[:, left], sets[:, right]]
                apart &= ~(both & (sets[:, left] >= 0) & (sets[:, right] >= 0))
        return apart

    @cached_property
    def _overlaps(self) -> Bool[Tensor, "edit edit"]:
        cells = self.is_changed.float()
        return cells @ cells.T > 0


def table_of(original: UInt8[Tensor, "real view view 3"], edits: Sequence[ObservationEdit]) -> EditTable:
    """Return the edits that change anything, each once; one that a legal world shows is kept as such."""
    found: dict[bytes, ObservationEdit] = {}
    for edit in sorted(edits, key=lambda edit: not edit.is_of_world):
        if not torch.equal(edit.frames, original):
            found.setdefault(edit.frames.numpy().tobytes(), edit)
    kept = tuple(found.values())
    frames = torch.stack([edit.frames for edit in kept]) if kept else original[None][:0]
    is_changed = (frames != original).any(-1).flatten(1)  # edit cell
    return EditTable(kept, original, frames, is_changed, torch.tensor([edit.first for edit in kept], dtype=torch.int64))
