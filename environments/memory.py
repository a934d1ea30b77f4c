"""Variants of MiniGrid's memory task: where the agent starts, and whether objects can be carried."""

import numpy as np
from minigrid.envs.memory import MemoryEnv
from minigrid.minigrid_env import MiniGridEnv

EAST = 0


class StaticMemoryEnv(MemoryEnv):
    """MiniGrid's memory task with a fixed start: beside the instruction, facing the corridor.

    The instruction, a key or a ball, lies at (1, height // 2 - 1). Beyond the corridor lie a key and a ball, one at the
    top and one at the bottom. Stepping next to the one that matches the instruction ends the episode with reward
    1 - 0.9 * step / max_steps, stepping next to the other one ends it with 0. Pickup acts as toggle and moves nothing.
    """

    def _gen_grid(self, width: int, height: int) -> None:
        super()._gen_grid(width, height)
        self.agent_pos = np.array((1, height // 2))
        self.agent_dir = EAST


class MovableMemoryEnv(StaticMemoryEnv):
    """The same task and start, but pickup really picks up and drop puts down: the instruction can be carried anywhere.

    The targets stay where they are, since the only cell that faces one ends the episode.
    """

    def step(self, action: int | np.integer) -> tuple[dict[str, object], float, bool, bool, dict[str, object]]:
        """Take one action by MiniGrid's general rules, then end the episode where the task says so.

        Reward is 1 - 0.9 * step / max_steps beside the matching target, otherwise 0.
        """
        observation, reward, terminated, truncated, info = MiniGridEnv.step(self, action)
        position = tuple(self.agent_pos)
        if position in (self.success_pos, self.failure_pos):
            terminated = True
            reward = self._reward() if position == self.success_pos else 0.0
        return observation, float(reward), terminated, truncated, info


class RandomDirectionMemoryEnv(MovableMemoryEnv):
    """The movable task from anywhere in the corridor's row, facing any of the four directions, all equally likely."""

    def _gen_grid(self, width: int, height: int) -> None:
        MemoryEnv._gen_grid(self, width, height)
        self.agent_dir = self._rand_int(0, 4)
