"""A world that only memory solves."""

import pytest
import torch
from jaxtyping import Bool, Int16, Int64, UInt8
from torch import Tensor

from environments.worlds import Outcome


class Recall:
    """Two steps an episode: a cue, key or ball, then a blank. Reward 1 for saying at the blank which cue it was.

    Nothing is earned at the cue, and the blank looks the same after either, so half is all that the forgetful get.
    """

    env_id = "Recall-v0"
    n_actions = 2
    max_steps = 2
    fact_names = ("cue", "time")

    def __init__(self, n_worlds: int, generator: torch.Generator) -> None:
        self.n_worlds = n_worlds
        self._generator = generator
        self.frames: UInt8[Tensor, "frame view view 3"] = torch.zeros(3, 7, 7, 3, dtype=torch.uint8)
        self.frames[:, 3, 6, 0] = torch.tensor([5, 6, 1])  # key, ball, nothing where the agent stands
        self.reset()

    def reset(self) -> Int64[Tensor, " world"]:
        self._cue = self._drawn()
        self._is_blank: Bool[Tensor, " world"] = torch.zeros(self.n_worlds, dtype=torch.bool)
        return self._cue

    def step(self, action: Int64[Tensor, " world"]) -> Outcome:
        ended = self._is_blank
        success = ended & (action == self._cue)
        self._cue = torch.where(ended, self._drawn(), self._cue)
        self._is_blank = ~ended
        return Outcome(
            frame_id=torch.where(self._is_blank, 2, self._cue),
            reward=success.float(),
            terminated=ended,
            truncated=torch.zeros_like(ended),
            success=success,
        )

    def facts(self) -> Int16[Tensor, "world fact"]:
        return torch.stack([self._cue, self._is_blank.long()], dim=1).to(torch.int16)

    def _drawn(self) -> Int64[Tensor, " world"]:
        return torch.randint(2, (self.n_worlds,), generator=self._generator)


@pytest.fixture
def recall() -> Recall:
    return Recall(64, torch.Generator().manual_seed(0))
