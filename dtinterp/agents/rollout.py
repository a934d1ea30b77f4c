"""Rollouts of a network in batched worlds: the steps that an update learns from."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from torch.nn import functional

from dtinterp.agents.config import TimeLimit
from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import FrameGates, RecurrentActorCritic
from dtinterp.agents.policy import Observation, first_observation, next_observation
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.resume import prefixed, under
from environments.worlds import Outcome, Suspendable, Worlds


@dataclass(frozen=True)
class Rollout:
    """What happened in all worlds between two updates."""

    frame_id: Int64[Tensor, "time world"]
    is_first: Bool[Tensor, "time world"]
    action: Int64[Tensor, "time world"]
    log_prob: Float32[Tensor, "time world"]
    value: Float32[Tensor, "time world"]
    value_after: Float32[Tensor, "time world"]
    """of what the step led to: zero where nothing follows"""
    reward: Float32[Tensor, "time world"]
    is_last: Bool[Tensor, "time world"]
    success: Bool[Tensor, "time world"]
    memory: Float32[Tensor, "world d_memory"]
    """before the first row"""


class Runner:
    """Steps the worlds and carries what the next rollout begins with."""

    def __init__(
        self, network: RecurrentActorCritic, worlds: Worlds, rng: torch.Generator, *, time_limit: TimeLimit = "end"
    ) -> None:
        """Reset the worlds."""
        self.network, self.worlds, self.rng, self.time_limit = network, worlds, rng, time_limit
        self.items = FrameItems(worlds)
        self.observation = first_observation(worlds.reset())
        self.memory = network.fresh(worlds.n_worlds)

    @torch.no_grad()
    def roll(self, n_steps: int) -> Rollout:
        """Act for `n_steps` in every world."""
        gates, start = FrameGates(self.network, self.items), self.memory
        rows = [self._step(gates) for _ in range(n_steps)]
        columns = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
        next_value = self._value(self._advance(gates, self.observation.frame_id, self.observation.is_first))
        following = torch.cat([columns["value"][1:], next_value[None]]) * ~columns["is_last"]
        return Rollout(**columns | {"value_after": following + columns["value_after"]}, memory=start)

    def state_dict(self) -> dict[str, Tensor]:
        """Return all that a rollout begins with, the worlds and the generator included."""
        return {
            **vars(self.observation),
            "memory": self.memory,
            "generator": self.rng.get_state(),
            **prefixed("worlds", _suspendable(self.worlds).state_dict()),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        device = self.memory.device
        self.observation = Observation(**{name: state[name].to(device) for name in vars(self.observation)})
        self.memory = state["memory"].to(device)
        self.rng.set_state(state["generator"].cpu())
        _suspendable(self.worlds).load_state_dict(under("worlds", state))

    def _step(self, gates: FrameGates) -> dict[str, Tensor]:
        seen = self.observation
        self.memory = self._advance(gates, seen.frame_id, seen.is_first)
        hidden = self.network.hidden_of(self.memory)
        log_probs = functional.log_softmax(self.network.policy_head(hidden), dim=-1)
        action = torch.multinomial(log_probs.exp(), 1, generator=self.rng).squeeze(-1)
        outcome = self.worlds.step(action)
        self.observation = next_observation(outcome, action)
        return {
            "frame_id": seen.frame_id,
            "is_first": seen.is_first,
            "action": action,
            "log_prob": log_probs.gather(-1, action[:, None]).squeeze(-1),
            "value": self._value(self.memory),
            "value_after": self._value_cut_off(gates, outcome),
            "reward": outcome.reward,
            "is_last": outcome.terminated | outcome.truncated,
            "success": outcome.success,
        }

    def _value_cut_off(self, gates: FrameGates, outcome: Outcome) -> Float32[Tensor, " world"]:
        """Return the value of the last frame where the time limit cut an episode short and that counts; else zero."""
        is_cut = outcome.truncated & ~outcome.terminated
        if self.time_limit == "end" or not is_cut.any():
            return torch.zeros_like(outcome.reward)
        if outcome.cut_frame_id is None:
            raise UserError(
                f"{self.worlds.env_id} does not tell how episodes look when the time limit cuts them short, expected "
                "worlds that do: leave time_limit at end."
            )
        return self._value(self._advance(gates, outcome.cut_frame_id, torch.zeros_like(is_cut))) * is_cut

    def _advance(
        self, gates: FrameGates, frame_id: Int64[Tensor, " world"], is_first: Bool[Tensor, " world"]
    ) -> Float32[Tensor, "world d_memory"]:
        return self.network.advance(gates.of(frame_id), is_first, self.memory)

    def _value(self, memory: Float32[Tensor, "world d_memory"]) -> Float32[Tensor, " world"]:
        return self.network.value_head(self.network.hidden_of(memory)).squeeze(-1)


def _suspendable(worlds: Worlds) -> Suspendable:
    if not isinstance(worlds, Suspendable):
        raise UserError(f"the worlds of {worlds.env_id} cannot be put aside, so no training in them can go on later.")
    return worlds
