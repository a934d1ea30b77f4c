"""Rollouts of any policy, drawn with a sampler: the only ones but those that PPO trains on."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int16, Int64
from torch import Tensor

from dtinterp.agents.policy import MemoryT, Policy, first_observation, next_observation
from dtinterp.demonstrations.samplers import Sampler, draw
from dtinterp.foundation.errors import UserError
from environments.worlds import Worlds


@dataclass(frozen=True)
class Step:
    """One step of every world: what was seen, done and got."""

    frame_id: Int64[Tensor, " world"]
    facts: Int16[Tensor, "world fact"]
    action: Int64[Tensor, " world"]
    reward: Float32[Tensor, " world"]
    terminated: Bool[Tensor, " world"]
    truncated: Bool[Tensor, " world"]
    success: Bool[Tensor, " world"]

    @property
    def is_last(self) -> Bool[Tensor, " world"]:
        """Whether the episode ends with this step."""
        return self.terminated | self.truncated


def roll_out(
    policy: Policy[MemoryT], worlds: Worlds, sampler: Sampler, *, n_steps: int, generator: torch.Generator
) -> Iterator[Step]:
    """Reset the worlds and yield `n_steps` steps of each.

    Raises `UserError` for a policy that has another number of actions than the worlds.
    """
    observation = first_observation(worlds.reset())
    memory = policy.start(worlds.n_worlds)
    for _ in range(n_steps):
        decision = policy.act(observation, memory)
        n_actions = decision.logits.shape[-1]
        if n_actions != worlds.n_actions:
            raise UserError(
                f"the policy chooses among {n_actions} actions, but {worlds.env_id} has {worlds.n_actions}: give a "
                "policy for this world."
            )
        facts = worlds.facts()
        action = draw(sampler, decision.logits, generator)
        outcome = worlds.step(action)
        yield Step(
            frame_id=observation.frame_id,
            facts=facts,
            action=action,
            reward=outcome.reward,
            terminated=outcome.terminated,
            truncated=outcome.truncated,
            success=outcome.success,
        )
        memory = decision.memory
        observation = next_observation(outcome, action)
