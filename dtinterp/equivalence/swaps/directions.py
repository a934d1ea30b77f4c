"""Random directions in the span of what differs between observations, as controls."""

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import normalize


def where_frames_differ(
    deviation: Float32[Tensor, "frame d_model"], n: int, generator: torch.Generator
) -> Float32[Tensor, "draw d_model"]:
    """Return random directions of length 1, each a random sum of the frames' deviations from their mean."""
    return normalize(torch.randn(n, len(deviation), generator=generator) @ deviation, dim=1)
