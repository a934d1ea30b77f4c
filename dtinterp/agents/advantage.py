"""Generalised advantage estimates from rewards and values."""

import torch
from jaxtyping import Bool, Float32
from torch import Tensor


def generalised_advantage(
    reward: Float32[Tensor, "time world"],
    value: Float32[Tensor, "time world"],
    is_last: Bool[Tensor, "time world"],
    value_after: Float32[Tensor, "time world"],
    *,
    discount: float,
    decay: float,
) -> Float32[Tensor, "time world"]:
    """Return the generalised advantage estimate (Schulman et al. 2016, arXiv:1506.02438, eq. 16).

    `value_after` is the value of what each step led to; it counts even where the episode ends (`is_last`), so it is
    zero where nothing follows, and the value of the last frame where something would have. No other term crosses the
    end of an episode.
    """
    surprise = reward + discount * value_after - value
    weight = discount * decay * ~is_last
    advantage = torch.zeros_like(reward)
    running = torch.zeros_like(reward[0])
    for step in reversed(range(len(reward))):
        running = surprise[step] + weight[step] * running
        advantage[step] = running
    return advantage
