"""The protocol of policies: from what one sees and remembers to logits of actions."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from environments.worlds import Outcome

MemoryT = TypeVar("MemoryT")

PAD_ACTION = 7
"""The action before an episode's first step; it has a row of its own in every action embedding."""


@dataclass(frozen=True)
class Observation:
    """What a policy learns at one step of each world."""

    frame_id: Int64[Tensor, " world"]
    """row of the worlds' frame table"""
    is_first: Bool[Tensor, " world"]
    """whether an episode begins here"""
    last_action: Int64[Tensor, " world"]
    """`PAD_ACTION` where an episode begins"""
    last_reward: Float32[Tensor, " world"]


@dataclass(frozen=True)
class Decision(Generic[MemoryT]):
    """A policy's unnormalised preferences and what it will remember."""

    logits: Float32[Tensor, "world action"]
    memory: MemoryT


@runtime_checkable
class Policy(Protocol[MemoryT]):
    """Anything that acts in the worlds: agents, transformers, patched transformers.

    Choosing an action from the logits is the sampler's business (`dtinterp.demonstrations.samplers`).
    """

    def start(self, n_worlds: int) -> MemoryT:
        """Return the memory before anything was seen."""
        ...

    def act(self, observation: Observation, memory: MemoryT) -> Decision[MemoryT]:
        """Return logits and the next memory; worlds with `is_first` begin with fresh memory."""
        ...


def first_observation(frame_id: Int64[Tensor, " world"]) -> Observation:
    """Return what is seen after all worlds were reset."""
    return Observation(
        frame_id=frame_id,
        is_first=torch.ones_like(frame_id, dtype=torch.bool),
        last_action=torch.full_like(frame_id, PAD_ACTION),
        last_reward=torch.zeros_like(frame_id, dtype=torch.float32),
    )


def next_observation(outcome: Outcome, action: Int64[Tensor, " world"]) -> Observation:
    """Return what is seen after `action`; where an episode ended, the next one begins."""
    is_first = outcome.terminated | outcome.truncated
    return Observation(
        frame_id=outcome.frame_id,
        is_first=is_first,
        last_action=torch.where(is_first, PAD_ACTION, action),
        last_reward=torch.where(is_first, 0.0, outcome.reward),
    )
