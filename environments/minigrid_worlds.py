"""Worlds that MiniGrid itself steps, behind the same protocol as the twin.

This is for worlds that the twin refuses, such as those with moving obstacles; gymnasium's vector environment holds
them.
"""

from collections.abc import Mapping
from functools import partial
from typing import cast

import numpy as np
import torch
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from jaxtyping import Bool, Int16, Int64, Shaped, UInt8
from minigrid.envs.dynamicobstacles import DynamicObstaclesEnv
from minigrid.minigrid_env import MiniGridEnv
from torch import Tensor

from environments.families.facts import fact_names, facts_of_states
from environments.families.reach_goal import ReachGoal
from environments.grid.state import concatenated
from environments.grid.world_spec import WorldSpec, parameter_row
from environments.registration import make
from environments.twin.dynamics import require_actions
from environments.twin.layouts import state_beside
from environments.worlds import Outcome


class MiniGridWorlds:
    """Worlds of any MiniGrid id, each an environment of its own.

    Episode k of world w begins from a seed that is drawn up front from w and k, so it does not depend on what a policy
    does. `max_steps` is the longest limit so far: a BabyAI level draws one for each episode. The facts are those of the
    twin's worlds with a goal; where something else is the target, as in BabyAI's levels, those of the target are left
    out.
    """

    def __init__(
        self, env_id: str, n_worlds: int, *, generator: torch.Generator, device: str | torch.device = "cpu"
    ) -> None:
        """Make the environments and begin the first episodes. Raises ValueError unless there is at least one world."""
        if n_worlds < 1:
            raise ValueError(f"The number of worlds is {n_worlds}; at least 1 is needed.")
        self._vector = SyncVectorEnv([partial(make, env_id)] * n_worlds, autoreset_mode=AutoresetMode.DISABLED)
        self._envs = cast(list[MiniGridEnv], self._vector.envs)
        first = self._envs[0]
        self.env_id = env_id
        self.n_worlds = n_worlds
        self.n_actions = int(cast(Discrete, first.action_space).n)
        self._device = device
        self.first_seed = torch.randint(2**31, (n_worlds,), generator=generator, device=generator.device).tolist()
        self._id_of_frame: dict[bytes, int] = {}
        self._distinct: list[Tensor] = []
        self._stacked = torch.empty(0, 0, 0, 3, dtype=torch.uint8)
        self.max_steps = 0
        self.reset()
        self._spec = _spec(first, env_id)
        names = fact_names(self._spec)
        has_goal = isinstance(first, DynamicObstaclesEnv)
        self._columns = [column for column, name in enumerate(names) if has_goal or not name.startswith("target")]
        self.fact_names = tuple(names[column] for column in self._columns)

    @property
    def frames(self) -> UInt8[Tensor, "frame view view 3"]:
        """The distinct frames so far, which frame ids point into; the table grows."""
        if len(self._stacked) < len(self._distinct):
            self._stacked = torch.stack(self._distinct).to(self._device)
        return self._stacked

    def reset(self) -> Int64[Tensor, " world"]:
        """Begin the first episode of every world, the same one each time, and return the ids of the frames shown."""
        self._episode = np.zeros(self.n_worlds, dtype=np.int64)
        self._done: list[list[int]] = [[] for _ in range(self.n_worlds)]
        return self._shown(self._begin(np.ones(self.n_worlds, dtype=bool)))

    def step(self, action: Shaped[Tensor, "..."]) -> Outcome:
        """Take one action in every world; a world whose episode ends begins its next one at once.

        Raises ValueError for an action that the world does not have.
        """
        action = require_actions(action, self.n_worlds, self.n_actions)
        observation, reward, terminated, truncated, _ = self._vector.step(action.cpu().numpy())
        for world, act in enumerate(action.tolist()):
            self._done[world].append(act)
        ended = terminated | truncated
        self._episode += ended
        frame_id = self._shown(self._begin(ended) if ended.any() else observation["image"])
        return Outcome(
            frame_id=frame_id,
            reward=torch.tensor(reward, dtype=torch.float32, device=self._device),
            terminated=torch.tensor(terminated, device=self._device),
            truncated=torch.tensor(truncated, device=self._device),
            success=torch.tensor(reward > 0, device=self._device),
            cut_frame_id=self._cut(truncated & ~terminated, observation["image"], frame_id),
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Return which episode each world is in, what was done in it, and the frames by their ids."""
        lengths = torch.tensor([len(done) for done in self._done])
        done = torch.tensor([action for done in self._done for action in done], dtype=torch.int64)
        return {
            "episode": torch.from_numpy(self._episode.copy()),
            "length": lengths,
            "done": done,
            "frames": self.frames,
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what worlds made in the same way returned, by doing in each episode what was done in it."""
        self._id_of_frame, self._distinct = {}, []
        for frame in state["frames"].cpu():
            self._number(frame)
        self._stacked = state["frames"].to(self._device)
        self._episode = state["episode"].cpu().numpy().copy()
        self._begin(np.ones(self.n_worlds, dtype=bool))
        for world, done in enumerate(state["done"].split(state["length"].tolist())):
            self._done[world] = done.tolist()
            for action in self._done[world]:
                self._envs[world].step(action)

    def facts(self) -> Int16[Tensor, "world fact"]:
        """Return the facts of the states that the worlds are in now, time included."""
        parameters = parameter_row(self._spec.rule, ())
        state = concatenated([state_beside(env, parameters) for env in self._envs])
        return facts_of_states(state, self._spec)[:, self._columns].to(self._device)

    def _begin(self, world: Bool[np.ndarray, " world"]) -> UInt8[np.ndarray, "world view view 3"]:
        """Begin the present episode of some of the worlds, and return what all of them show."""
        for begun in world.nonzero()[0]:
            self._done[begun] = []
        seed = [first + int(episode) for first, episode in zip(self.first_seed, self._episode, strict=True)]
        observation, _ = self._vector.reset(seed=seed, options={"reset_mask": world})
        self.max_steps = max(self.max_steps, *(env.max_steps for env in self._envs))  # BabyAI draws it with a mission
        return observation["image"]

    def _cut(
        self,
        is_cut: Bool[np.ndarray, " world"],
        images: UInt8[np.ndarray, "world view view 3"],
        frame_id: Int64[Tensor, " world"],
    ) -> Int64[Tensor, " world"]:
        """Return the ids of the frames now shown, but of the last frame where the time limit cut an episode short."""
        return frame_id.masked_scatter(torch.tensor(is_cut, device=self._device), self._shown(images[is_cut]))

    def _shown(self, images: UInt8[np.ndarray, "world view view 3"]) -> Int64[Tensor, " world"]:
        numbers = [self._number(torch.from_numpy(image)) for image in images]
        return torch.tensor(numbers, dtype=torch.int64, device=self._device)

    def _number(self, image: UInt8[Tensor, "view view 3"]) -> int:
        number = self._id_of_frame.setdefault(image.numpy().tobytes(), len(self._distinct))
        if number == len(self._distinct):
            self._distinct.append(image)
        return number


def _spec(env: MiniGridEnv, env_id: str) -> WorldSpec:
    """Return what an environment shares with the twin's worlds, as far as its facts need it."""
    return WorldSpec(
        env_id=env_id,
        width=env.width,
        height=env.height,
        max_steps=env.max_steps,
        rule=ReachGoal(),
        view=env.agent_view_size,
        sees_through_walls=env.see_through_walls,
    )
