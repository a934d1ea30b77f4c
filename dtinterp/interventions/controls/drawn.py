"""Random directions as controls: of the whole space, or only of the span in which rows differ."""

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import normalize


def random_directions(n_draws: int, d_model: int, generator: torch.Generator) -> Float32[Tensor, "draw d_model"]:
    """Return directions drawn uniformly from the unit sphere."""
    drawn = torch.randn(n_draws, d_model, generator=generator)
    return drawn / drawn.norm(dim=1, keepdim=True)


def directions_of_differences(
    deviation: Float32[Tensor, "row d_model"], n_draws: int, generator: torch.Generator
) -> Float32[Tensor, "draw d_model"]:
    """Return directions of length 1, each a random sum of the rows' deviations from their mean.

    Noise in directions in which no two rows differ would be easily survived, and prove nothing.
    """
    return normalize(torch.randn(n_draws, len(deviation), generator=generator) @ deviation, dim=1)
