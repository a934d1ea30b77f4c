"""A policy in a world becomes its success, with intervals."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.agents.policy import MemoryT, Policy
from dtinterp.demonstrations.rollout import roll_out
from dtinterp.demonstrations.samplers import Sampler
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.foundation.statistics import Interval, bootstrap_mean, wilson
from environments.worlds import Worlds


@dataclass(frozen=True)
class Episodes:
    """One whole episode of each world: unlike a fixed number of steps, it favours no short ones."""

    success: Bool[Tensor, " world"]
    terminated: Bool[Tensor, " world"]
    reward: Float32[Tensor, " world"]
    """the episode's return"""
    length: Int64[Tensor, " world"]


@dataclass(frozen=True)
class Evaluation:
    """How a policy fares; the three shares add up to one."""

    success: Interval
    failure: Interval
    """the world ended the episode without reward: in the Memory worlds, at the wrong target"""
    timeout: Interval
    mean_return: Interval
    mean_length: Interval


def play_episodes(policy: Policy[MemoryT], worlds: Worlds, sampler: Sampler, *, generator: torch.Generator) -> Episodes:
    """Play one episode in each world.

    Worlds made from equal seeds begin alike, so episodes of two policies are paired by world.
    """
    n = worlds.n_worlds
    running = torch.ones(n, dtype=torch.bool)
    success, terminated = torch.zeros(n, dtype=torch.bool), torch.zeros(n, dtype=torch.bool)
    reward, length = torch.zeros(n), torch.zeros(n, dtype=torch.int64)
    for step in roll_out(policy, worlds, sampler, n_steps=worlds.max_steps, generator=generator):
        reward += step.reward * running
        length += running
        success |= step.success & running
        terminated |= step.terminated & running
        running &= ~step.is_last
        if not running.any():
            break
    return Episodes(success, terminated, reward, length)


def evaluate(policy: Policy[MemoryT], worlds: Worlds, sampler: Sampler, *, generator: torch.Generator) -> Evaluation:
    """Return success, failure and timeout with Wilson intervals, return and length with bootstrap intervals."""
    episodes = play_episodes(policy, worlds, sampler, generator=generator)
    resampling = numpy_generator(generator.initial_seed(), "evaluation/bootstrap")
    return Evaluation(
        success=_share(episodes.success),
        failure=_share(episodes.terminated & ~episodes.success),
        timeout=_share(~episodes.terminated),
        mean_return=bootstrap_mean(episodes.reward.double().numpy(), resampling),
        mean_length=bootstrap_mean(episodes.length.double().numpy(), resampling),
    )


def _share(holds: Bool[Tensor, " world"]) -> Interval:
    return wilson(int(holds.sum()), len(holds))
