"""Frames become the numbers that a model's observation embedding reads."""

import torch
from einops import rearrange
from jaxtyping import Float32, UInt8
from torch import Tensor


def ordinal(frames: UInt8[Tensor, "frame view view 3"]) -> Float32[Tensor, "frame number"]:
    """Return the 7·7·3 numbers of each frame as they are: number 49 channel + 7 x + y, as one-hot items are numbered.

    The other coding is one-hot. A linear embedding of these numbers takes object 6 for twice object 3.
    """
    return rearrange(frames, "frame x y channel -> frame (channel x y)").to(torch.float32)
