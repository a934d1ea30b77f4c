"""A growing table of distinct frames, numbered in order of discovery, on any device."""

from collections.abc import Mapping

import torch
from jaxtyping import Int32, Int64, UInt8
from torch import Tensor

from environments.grid.cells import CODE_SHIFT
from environments.grid.observation import frames_of, pitch_of

_SHOWN = (1 << CODE_SHIFT) - 1
"""The bits of a cell that a frame shows; what is in a box is not among them."""

_FIRST_ROOM = 256


class FrameInterner:
    """Every distinct frame seen so far.

    Frames are found by a hash of 64 bits and then compared cell by cell, so equal ids mean equal frames.
    """

    def __init__(self, view: int, device: str | torch.device = "cpu") -> None:
        self._view = view
        n_slots = view * pitch_of(view)
        drawn = torch.randint(-(2**63), 2**63 - 1, (n_slots,), generator=torch.Generator().manual_seed(view))
        self._factor = (drawn | 1).to(device)  # odd factors lose no bit
        self._cells = torch.zeros(_FIRST_ROOM, n_slots, dtype=torch.int32, device=device)
        self._n_frames = 0
        self._key = torch.empty(0, dtype=torch.int64, device=device)  # in ascending order
        self._id_of_key = torch.empty(0, dtype=torch.int64, device=device)
        self._frames = frames_of(self._cells[:0], view)

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._n_frames

    @property
    def frames(self) -> UInt8[Tensor, "frame view view 3"]:
        """The distinct frames so far, which ids point into. The tensor is replaced when frames are added."""
        if len(self._frames) < self._n_frames:
            self._frames = frames_of(self._cells[: self._n_frames], self._view)
        return self._frames

    def intern(self, cells: Int32[Tensor, "world slot"]) -> Int64[Tensor, " world"]:
        """Return the id of the frame that each row of cells in view shows; frames that are new get the next ids."""
        shown = cells & _SHOWN
        key = (shown * self._factor).sum(1)
        place = self._find(key)
        unknown = (place < 0).nonzero()[:, 0]
        if len(unknown):
            self._add(key[unknown], shown[unknown])
            place = self._find(key)
        frame_id = self._id_of_key.index_select(0, place)
        if not torch.equal(self._cells.index_select(0, frame_id), shown):
            raise RuntimeError("Two different frames have the same hash of 64 bits; no such pair was known.")
        return frame_id

    def state_dict(self) -> dict[str, Tensor]:
        """Return the cells of the frames in the order of their ids."""
        return {"cells": self._cells[: self._n_frames].clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Know just these frames, by these ids."""
        cells = state["cells"].to(self._cells.device)
        self._n_frames = len(cells)
        self._cells = torch.cat([cells, cells.new_zeros(max(_FIRST_ROOM, len(cells)), cells.shape[1])])
        self._key, self._id_of_key = (cells * self._factor).sum(1).sort()
        self._frames = frames_of(self._cells[:0], self._view)

    def _find(self, key: Int64[Tensor, " world"]) -> Int64[Tensor, " world"]:
        """Return where each key stands among the known ones, -1 where it is unknown."""
        if not len(self._key):
            return torch.full_like(key, -1)
        place = torch.searchsorted(self._key, key).clamp_(max=len(self._key) - 1)
        return torch.where(self._key.index_select(0, place) == key, place, -1)

    def _add(self, key: Int64[Tensor, " new"], shown: Int32[Tensor, "new slot"]) -> None:
        """Append frames that are not in the table; equal ones among them are added once, in order of appearance."""
        distinct, which = torch.unique(key, return_inverse=True)
        row = torch.arange(len(key), device=key.device)
        first = torch.full_like(distinct, len(key)).scatter_reduce_(0, which, row, "amin").sort().values
        n_frames = self._n_frames + len(first)
        while n_frames > len(self._cells):
            self._cells = torch.cat([self._cells, torch.zeros_like(self._cells)])
        self._cells[self._n_frames : n_frames] = shown[first]
        ids = torch.arange(self._n_frames, n_frames, device=key.device)
        self._key, order = torch.cat([self._key, key[first]]).sort()
        self._id_of_key = torch.cat([self._id_of_key, ids])[order]
        self._n_frames = n_frames
