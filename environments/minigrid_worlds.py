"""An environment id into worlds that MiniGrid itself steps, one after the other, behind the same protocol as the twin.

This is for worlds that the twin refuses, such as those with moving obstacles.
"""

from typing import cast

import torch
from gymnasium.spaces import Discrete
from jaxtyping import Int16, Int64, Shaped, UInt8
from minigrid.core.constants import OBJECT_TO_IDX
from minigrid.minigrid_env import MiniGridEnv
from torch import Tensor

from environments.batched.dynamics import require_actions
from environments.batched.families import make
from environments.worlds import Outcome

FACT_NAMES = (
    "x",
    "y",
    "direction",
    "carrying",
    *(f"{kind}_visible" for kind in ("door", "key", "ball", "box", "goal")),
    "time",
)
"""The facts that can be read from any MiniGrid environment."""

_VISIBLE = [OBJECT_TO_IDX[name.removesuffix("_visible")] for name in FACT_NAMES if name.endswith("_visible")]


class MiniGridWorlds:
    """Worlds of any MiniGrid id, each an environment of its own.

    Episode k of world w begins from a seed that is drawn up front from w and k, so it does not depend on what a policy
    does.
    """

    def __init__(
        self, env_id: str, n_worlds: int, *, generator: torch.Generator, device: str | torch.device = "cpu"
    ) -> None:
        """Make the environments and begin the first episodes. Raises ValueError unless there is at least one world."""
        if n_worlds < 1:
            raise ValueError(f"The number of worlds is {n_worlds}; at least 1 is needed.")
        self._envs: list[MiniGridEnv] = [make(env_id) for _ in range(n_worlds)]
        first = self._envs[0]
        self.env_id = env_id
        self.n_worlds = n_worlds
        self.n_actions = int(cast(Discrete, first.action_space).n)
        self.max_steps = first.max_steps
        self.fact_names = FACT_NAMES
        self._device = device
        self.first_seed = torch.randint(2**31, (n_worlds,), generator=generator, device=generator.device).tolist()
        self._id_of_frame: dict[bytes, int] = {}
        self._distinct: list[Tensor] = []
        self._stacked = torch.empty(0, 0, 0, 3, dtype=torch.uint8)
        self.reset()

    @property
    def frames(self) -> UInt8[Tensor, "frame view view 3"]:
        """The distinct frames so far, which frame ids point into; the table grows."""
        if len(self._stacked) < len(self._distinct):
            self._stacked = torch.stack(self._distinct).to(self._device)
        return self._stacked

    def reset(self) -> Int64[Tensor, " world"]:
        """Begin the first episode of every world, the same one each time, and return the ids of the frames shown."""
        self._episode = [0] * self.n_worlds
        self._image = [self._begin(world) for world in range(self.n_worlds)]
        return self._shown()

    def step(self, action: Shaped[Tensor, "..."]) -> Outcome:
        """Take one action in every world; a world whose episode ends begins its next one at once.

        Raises ValueError for an action that the world does not have.
        """
        action = require_actions(action, self.n_worlds, self.n_actions)
        taken = [self._step(world, act) for world, act in enumerate(action.tolist())]
        reward, terminated, truncated = (
            torch.tensor(column, device=self._device) for column in zip(*taken, strict=True)
        )
        return Outcome(
            frame_id=self._shown(),
            reward=reward.float(),
            terminated=terminated,
            truncated=truncated,
            success=reward > 0,
        )

    def facts(self) -> Int16[Tensor, "world fact"]:
        """Return the facts of the states that the worlds are in now, time included."""
        rows = [self._facts(env, image) for env, image in zip(self._envs, self._image, strict=True)]
        return torch.tensor(rows, dtype=torch.int16, device=self._device)

    def _begin(self, world: int) -> Tensor:
        observation, _ = self._envs[world].reset(seed=self.first_seed[world] + self._episode[world])
        return torch.from_numpy(observation["image"])

    def _step(self, world: int, action: int) -> tuple[float, bool, bool]:
        observation, reward, terminated, truncated, _ = self._envs[world].step(action)
        self._image[world] = torch.from_numpy(observation["image"])
        if terminated or truncated:
            self._episode[world] += 1
            self._image[world] = self._begin(world)
        return float(reward), bool(terminated), bool(truncated)

    def _shown(self) -> Int64[Tensor, " world"]:
        return torch.tensor([self._number(image) for image in self._image], device=self._device)

    def _number(self, image: UInt8[Tensor, "view view 3"]) -> int:
        number = self._id_of_frame.setdefault(image.numpy().tobytes(), len(self._distinct))
        if number == len(self._distinct):
            self._distinct.append(image)
        return number

    def _facts(self, env: MiniGridEnv, image: UInt8[Tensor, "view view 3"]) -> list[int]:
        carrying = OBJECT_TO_IDX["empty" if env.carrying is None else env.carrying.type]
        seen = [int((image[..., 0] == kind).sum()) for kind in _VISIBLE]
        return [int(env.agent_pos[0]), int(env.agent_pos[1]), int(env.agent_dir), carrying, *seen, env.step_count]
