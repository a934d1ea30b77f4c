"""Evaluation of a policy in a world: success, failure, timeout and return, with intervals."""

from dataclasses import dataclass
from typing import Generic

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.agents.policy import PAD_ACTION, Decision, MemoryT, Observation, Policy
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


class Resting(Generic[MemoryT]):
    """A policy that looks away where a world's only episode is over.

    All such worlds look alike to it, as if another episode had just begun, so whoever computes equal histories once
    has next to no work with them. Nothing that is done there counts.
    """

    def __init__(self, policy: Policy[MemoryT]) -> None:
        """No episode is over."""
        self._policy = policy
        self.is_over: Bool[Tensor, " world"] | None = None

    def start(self, n_worlds: int) -> MemoryT:
        """Return the policy's memory."""
        return self._policy.start(n_worlds)

    def act(self, observation: Observation, memory: MemoryT) -> Decision[MemoryT]:
        """Show the policy one and the same beginning in all worlds whose episode is over."""
        if self.is_over is None:
            return self._policy.act(observation, memory)
        alike = Observation(
            frame_id=torch.where(self.is_over, observation.frame_id[0], observation.frame_id),
            is_first=observation.is_first | self.is_over,
            last_action=torch.where(self.is_over, PAD_ACTION, observation.last_action),
            last_reward=torch.where(self.is_over, 0.0, observation.last_reward),
        )
        return self._policy.act(alike, memory)


def play_episodes(policy: Policy[MemoryT], worlds: Worlds, sampler: Sampler, *, generator: torch.Generator) -> Episodes:
    """Play one episode in each world.

    Worlds made from equal seeds begin alike, so episodes of two policies are paired by world.
    """
    n = worlds.n_worlds
    resting = Resting(policy)
    running = torch.ones(n, dtype=torch.bool)
    success, terminated = torch.zeros(n, dtype=torch.bool), torch.zeros(n, dtype=torch.bool)
    reward, length = torch.zeros(n), torch.zeros(n, dtype=torch.int64)
    for step in roll_out(resting, worlds, sampler, n_steps=worlds.max_steps, generator=generator):
        reward += step.reward * running
        length += running
        success |= step.success & running
        terminated |= step.terminated & running
        running &= ~step.is_last
        resting.is_over = ~running
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
