"""Frames as the numbers that a model's observation embedding reads."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float32, UInt8
from torch import Tensor

from dtinterp.agents.items import FrameItems, ShowsFrames
from dtinterp.foundation.errors import UserError

ONE_HOT, ORDINAL = 980, 147
"""Inputs of a model that reads one-hot frames, and of one that reads the numbers that frames are made of."""


def coded(source: ShowsFrames, n_items: int) -> FrameItems:
    """Return the frames of worlds or trajectories as a model with so many inputs reads them.

    Raises `UserError` where no coding has as many.
    """
    if n_items == ONE_HOT:
        return FrameItems(source)
    if n_items == ORDINAL:
        return FrameItems(source, ordinal)
    raise UserError(f"n_items is {n_items}, expected {ONE_HOT} (one-hot) or {ORDINAL} (ordinal): give one of these.")


def encoded(frames: UInt8[Tensor, "frame view view 3"], n_items: int) -> Float32[Tensor, "frame item"]:
    """Return a frame table as a model with so many inputs reads it. Raises `UserError` as `coded` does."""
    return coded(_Table(frames), n_items).table


@dataclass(frozen=True)
class _Table:
    frames: UInt8[Tensor, "frame view view 3"]


def ordinal(frames: UInt8[Tensor, "frame view view 3"]) -> Float32[Tensor, "frame number"]:
    """Return the 7·7·3 numbers of each frame as they are: number 49 channel + 7 x + y, as one-hot items are numbered.

    The other coding is one-hot. A linear embedding of these numbers takes object 6 for twice object 3.
    """
    return rearrange(frames, "frame x y channel -> frame (channel x y)").to(torch.float32)
