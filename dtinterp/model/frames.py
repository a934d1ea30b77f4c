"""Frames become the numbers that a model's observation embedding reads."""

import torch
from einops import rearrange
from jaxtyping import Float32, UInt8
from torch import Tensor

from dtinterp.agents.items import FrameItems, ShowsFrames


def ordinal(frames: UInt8[Tensor, "frame view view 3"]) -> Float32[Tensor, "frame number"]:
    """Return the 7·7·3 numbers of each frame as they are: number 49 channel + 7 x + y, as one-hot items are numbered.

    The other coding is one-hot. A linear embedding of these numbers takes object 6 for twice object 3.
    """
    return rearrange(frames, "frame x y channel -> frame (channel x y)").to(torch.float32)


class OrdinalItems(FrameItems):
    """The ordinal numbers of all frames known so far."""

    def __init__(self, source: ShowsFrames) -> None:
        """Bind worlds or trajectories."""
        self._source = source

    @property
    def table(self) -> Float32[Tensor, "frame number"]:
        """One row per frame; read it after the worlds were stepped, and every id that they returned lies in it."""
        return ordinal(self._source.frames)
