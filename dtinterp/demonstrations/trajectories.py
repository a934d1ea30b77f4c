"""Episodes as flat columns over a table of distinct frames."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int8, Int16, Int32, Int64, UInt8
from torch import Tensor

from dtinterp.foundation.artefacts.soundness import require_equally_many, require_within
from dtinterp.foundation.errors import UserError
from environments.vocabulary import ACTIONS, CHANNELS

DIGEST_BYTES = 16
"""A content is remembered by a hash of so many bytes: no two have been known to share one."""


@dataclass(frozen=True)
class Mixture:
    """Which of several worlds each episode was played in."""

    env_ids: tuple[str, ...]
    world: Int8[Tensor, " episode"]
    """index into `env_ids`"""


@dataclass(frozen=True)
class Trajectories:
    """Whole episodes, one after the other; frames are interned, so a step costs four bytes instead of a picture.

    The columns may be mapped from a file: nothing here writes into them, and what is written never reaches the file.
    """

    env_id: str
    """the world; of a mixture the names of its worlds, as `mixture_name` joins them"""
    max_steps: int
    """the world's time limit, in steps; of a mixture the longest"""
    frames: UInt8[Tensor, "frame view view 3"]
    """the distinct frames, as MiniGrid codes them (object, colour, state), indexed [x, y]"""
    frame_id: Int32[Tensor, " step"]
    """what was seen before acting"""
    action: Int8[Tensor, " step"]
    reward: Float32[Tensor, " step"]
    fact_table: Int16[Tensor, "situation fact"]
    """the distinct truths about the world; no columns where nobody recorded any"""
    fact_id: Int32[Tensor, " step"]
    """the truth about the world at that step, a row of the table; never shown to a model"""
    length: Int32[Tensor, " episode"]
    """steps"""
    terminated: Bool[Tensor, " episode"]
    """whether the world ended it; otherwise time ran out"""
    sampler: Int8[Tensor, " episode"]
    """index into `samplers`"""
    fact_names: tuple[str, ...]
    samplers: tuple[str, ...]
    mixture: Mixture | None = None
    """None where all episodes are of one world"""

    def __post_init__(self) -> None:
        """Refuse episodes that don't add up to the steps, numbers that are in no table, and rewards that are none."""
        if int(self.length.sum()) != len(self.frame_id):
            raise ValueError(f"episodes of {int(self.length.sum())} steps, but {len(self.frame_id)} steps are there")
        if self.fact_table.shape[1] != len(self.fact_names):
            raise ValueError(f"{self.fact_table.shape[1]} facts per step, but {len(self.fact_names)} names")
        _require_range("length", self.length, 1, self.max_steps)
        _require_range("frame_id", self.frame_id, 0, len(self.frames) - 1)
        _require_range("fact_id", self.fact_id, 0, len(self.fact_table) - 1)
        _require_range("sampler", self.sampler, 0, len(self.samplers) - 1)
        _require_range("action", self.action, 0, len(ACTIONS) - 1)
        self._require_finite_rewards()
        if self.mixture is not None:
            _require_range("world", self.mixture.world, 0, len(self.mixture.env_ids) - 1)
        steps = {name: len(getattr(self, name)) for name in ("frame_id", "action", "reward", "fact_id")}
        episodes = {name: len(getattr(self, name)) for name in ("length", "terminated", "sampler", "world")}
        require_equally_many(**steps)
        require_equally_many(**episodes)

    def _require_finite_rewards(self) -> None:
        bad = (~self.reward.isfinite()).nonzero()[:, 0]
        if len(bad):
            first = int(bad[0])
            episode = int(self.episode[first])
            raise UserError(
                f"the reward is {float(self.reward[first])} in episode {episode} at step {int(self.time[first])} "
                f"(counted from 0), expected a finite number: {len(bad)} of {self.n_steps} steps have none, leave "
                "out their episodes."
            )

    @property
    def env_ids(self) -> tuple[str, ...]:
        """The worlds, one or several."""
        return (self.env_id,) if self.mixture is None else self.mixture.env_ids

    @property
    def world(self) -> Int8[Tensor, " episode"]:
        """The world of each episode, as an index into `env_ids`."""
        return torch.zeros_like(self.sampler) if self.mixture is None else self.mixture.world

    @property
    def n_steps(self) -> int:
        """Steps in all episodes together."""
        return len(self.frame_id)

    @property
    def n_episodes(self) -> int:
        """Whole episodes."""
        return len(self.length)

    @property
    def facts(self) -> Int16[Tensor, "step fact"]:
        """The facts of each step, gathered anew at each call."""
        return self.fact_table[self.fact_id.long()]

    @cached_property
    def first_step(self) -> Int64[Tensor, " episode"]:
        """Flat index of each episode's first step."""
        return torch.cumsum(self.length.long(), 0) - self.length

    @cached_property
    def episode(self) -> Int64[Tensor, " step"]:
        """The episode each step belongs to."""
        return torch.repeat_interleave(torch.arange(self.n_episodes), self.length.long())

    @cached_property
    def time(self) -> Int64[Tensor, " step"]:
        """Steps since the episode began."""
        return torch.arange(self.n_steps) - self.first_step[self.episode]

    @cached_property
    def episode_return(self) -> Float32[Tensor, " episode"]:
        """Sum of each episode's rewards."""
        return torch.zeros(self.n_episodes).index_add(0, self.episode, self.reward)

    @cached_property
    def return_to_go(self) -> Float32[Tensor, " step"]:
        """Sum of the rewards from this step to the episode's end, this step's included."""
        reward = self.reward.double().numpy()
        left = np.empty_like(reward)
        for first, length in zip(self.first_step.tolist(), self.length.tolist(), strict=True):
            episode = slice(first, first + length)
            left[episode] = reward[episode][::-1].cumsum()[::-1]
        return torch.from_numpy(left).float()


def mixture_name(env_ids: Sequence[str]) -> str:
    """Return what a mixture of worlds is called."""
    return " + ".join(env_ids)


def require_codes(frames: UInt8[Tensor, "frame view view 3"]) -> None:
    """Raise ValueError where frames hold codes that MiniGrid does not have."""
    for channel, values in enumerate(CHANNELS):
        require_within(f"channel {channel} of the frames", frames[..., channel], 0, len(values) - 1)


def _require_range(name: str, column: Int8[Tensor, " any"] | Int32[Tensor, " any"], low: int, high: int) -> None:
    if len(column) and not low <= int(column.min()) <= int(column.max()) <= high:
        raise ValueError(f"{name} runs from {int(column.min())} to {int(column.max())}, expected {low} to {high}")


def episode_content(trajectories: Trajectories) -> Int64[Tensor, " episode"]:
    """Number the distinct (frames, actions) sequences in order of first appearance."""
    frames, actions = trajectories.frame_id.numpy(), trajectories.action.numpy()
    number: defaultdict[bytes, int] = defaultdict(lambda: len(number))
    ends = torch.cumsum(trajectories.length.long(), 0).tolist()
    starts = trajectories.first_step.tolist()
    contents = [
        number[blake2b(frames[start:end].tobytes() + actions[start:end].tobytes(), digest_size=DIGEST_BYTES).digest()]
        for start, end in zip(starts, ends, strict=True)
    ]
    return torch.tensor(contents, dtype=torch.int64)
