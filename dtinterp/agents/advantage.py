"""Rewards and values become advantages."""

import torch
from jaxtyping import Bool, Float32
from torch import Tensor


def generalised_advantage(
    reward: Float32[Tensor, "time world"],
    value: Float32[Tensor, "time world"],
    is_last: Bool[Tensor, "time world"],
    next_value: Float32[Tensor, " world"],
    *,
    discount: float,
    decay: float,
) -> Float32[Tensor, "time world"]:
    """Return the generalised advantage estimate (Schulman et al. 2016, arXiv:1506.02438, eq. 16).

    `next_value` is the value after the last row. Nothing is bootstrapped across `is_last`: in these worlds the time
    limit belongs to the task, since the reward falls with time and is gone at the limit.
    """
    advantage = torch.zeros_like(reward)
    running = torch.zeros_like(next_value)
    for step in reversed(range(len(reward))):
        goes_on = (~is_last[step]).float()
        surprise = reward[step] + discount * next_value * goes_on - value[step]
        running = surprise + discount * decay * goes_on * running
        advantage[step] = running
        next_value = value[step]
    return advantage
