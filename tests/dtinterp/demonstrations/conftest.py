"""A policy whose preferences depend on what it sees and on how long it has been going on."""

import pytest
import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.agents.policy import Decision, Observation


class Wilful:
    """Prefers actions by frame and by the number of steps of the episode, as random tables say."""

    def __init__(self, n_frames: int) -> None:
        rng = torch.Generator().manual_seed(5)
        self._by_frame = 0.5 * torch.randn(n_frames, 7, generator=rng)
        self._by_time = 0.5 * torch.randn(60, 7, generator=rng) + torch.tensor([1.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0])

    def start(self, n_worlds: int) -> Int64[Tensor, " world"]:
        return torch.zeros(n_worlds, dtype=torch.int64)

    def act(self, observation: Observation, memory: Int64[Tensor, " world"]) -> Decision[Int64[Tensor, " world"]]:
        time = torch.where(observation.is_first, 0, memory)
        return Decision(self._by_frame[observation.frame_id] + self._by_time[time], time + 1)


@pytest.fixture
def wilful(graph) -> Wilful:
    return Wilful(len(graph.frames))
