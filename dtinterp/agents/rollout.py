"""Worlds and a network become the steps that an update learns from."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from torch.nn import functional

from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import FrameGates, RecurrentActorCritic
from dtinterp.agents.policy import Observation, first_observation, next_observation
from environments.worlds import Worlds


@dataclass(frozen=True)
class Rollout:
    """What happened in all worlds between two updates."""

    frame_id: Int64[Tensor, "time world"]
    is_first: Bool[Tensor, "time world"]
    action: Int64[Tensor, "time world"]
    log_prob: Float32[Tensor, "time world"]
    value: Float32[Tensor, "time world"]
    reward: Float32[Tensor, "time world"]
    is_last: Bool[Tensor, "time world"]
    success: Bool[Tensor, "time world"]
    hidden: Float32[Tensor, "world d_hidden"]
    """before the first row"""
    next_value: Float32[Tensor, " world"]
    """after the last row"""


class Runner:
    """Steps the worlds and carries what the next rollout begins with."""

    def __init__(self, network: RecurrentActorCritic, worlds: Worlds, rng: torch.Generator) -> None:
        """Reset the worlds."""
        self.network, self.worlds, self.rng = network, worlds, rng
        self.items = FrameItems(worlds)
        self.observation = first_observation(worlds.reset())
        self.hidden = network.value_head.weight.new_zeros(worlds.n_worlds, network.d_hidden).detach()

    @torch.no_grad()
    def roll(self, n_steps: int) -> Rollout:
        """Act for `n_steps` in every world."""
        gates, start = FrameGates(self.network, self.items), self.hidden
        rows = [self._step(gates) for _ in range(n_steps)]
        columns = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
        peek = self._advance(gates, self.observation)
        return Rollout(**columns, hidden=start, next_value=self.network.value_head(peek).squeeze(-1))

    def _step(self, gates: FrameGates) -> dict[str, Tensor]:
        seen = self.observation
        self.hidden = self._advance(gates, seen)
        log_probs = functional.log_softmax(self.network.policy_head(self.hidden), dim=-1)
        action = torch.multinomial(log_probs.exp(), 1, generator=self.rng).squeeze(-1)
        outcome = self.worlds.step(action)
        self.observation = next_observation(outcome, action)
        return {
            "frame_id": seen.frame_id,
            "is_first": seen.is_first,
            "action": action,
            "log_prob": log_probs.gather(-1, action[:, None]).squeeze(-1),
            "value": self.network.value_head(self.hidden).squeeze(-1),
            "reward": outcome.reward,
            "is_last": outcome.terminated | outcome.truncated,
            "success": outcome.success,
        }

    def _advance(self, gates: FrameGates, seen: Observation) -> Float32[Tensor, "world d_hidden"]:
        return self.network.advance(gates.of(seen.frame_id), seen.is_first, self.hidden)
