"""One-hot items of the frames that worlds have shown."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from environments.vocabulary import one_hot


@runtime_checkable
class ShowsFrames(Protocol):
    """Worlds, or trajectories: a table of distinct frames that may grow at its end."""

    @property
    def frames(self) -> UInt8[Tensor, "frame view view 3"]:
        """The distinct frames known so far, which frame ids point into."""
        ...


Encoding = Callable[[UInt8[Tensor, "frame view view 3"]], Float32[Tensor, "frame item"]]
"""Frames into the numbers that a network reads: one-hot items unless it was trained on others."""


class FrameItems:
    """The one-hot items of frames known so far, so that a policy can act in worlds whose table still grows."""

    def __init__(self, source: ShowsFrames, encode: Encoding = one_hot) -> None:
        """Encode nothing yet."""
        self._source, self._encode = source, encode
        self._table = encode(source.frames[:0])

    @property
    def n_frames(self) -> int:
        """How many frames are known."""
        return len(self._source.frames)

    @property
    def table(self) -> Float32[Tensor, "frame item"]:
        """One row per frame, each encoded once.

        Read it after the worlds were stepped, and every id that they returned lies in it.
        """
        n_known, frames = len(self._table), self._source.frames
        if len(frames) > n_known:
            self._table = torch.cat([self._table, self._encode(frames[n_known:])])
        return self._table

    def of(self, frame_id: Int64[Tensor, " chosen"]) -> Float32[Tensor, "chosen item"]:
        """Encode some frames; the table, which takes 4 kB a frame, is not needed for it."""
        return self._encode(self._source.frames[frame_id])
