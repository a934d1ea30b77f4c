"""The twin as a gymnasium vector environment, so that anybody's agent can train on it."""

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool, Float32, Int64, UInt8
from minigrid.core.actions import Actions

from environments.families.facts import MISSION_SIZES, mission_of
from environments.grid.observation import observe
from environments.grid.state import State
from environments.twin.episodes import BatchedEpisodes
from environments.twin.layouts import Layouts

_LARGEST_VALUE = 10
"""MiniGrid's largest channel value, that of the agent's own object."""


class VectorObservation(TypedDict):
    """What all agents see and are told; MiniGrid's own observation, the mission as numbers."""

    image: UInt8[np.ndarray, "world view view 3"]
    direction: Int64[np.ndarray, " world"]
    mission: Int64[np.ndarray, "world 4"]
    """Kind and colour of the target and of what must be put near it, see `environments.families.facts`."""


VectorInfo = dict[str, Any]
"""What gymnasium's vector environments tell beside; here how episodes that ended in this step looked at their end."""


class TwinVectorEnv(VectorEnv):
    """The twin as a `gymnasium.vector.VectorEnv`.

    Autoreset happens in the same step: the observation of an episode's last step is the first of the next episode, and
    the last one stands in `info["final_obs"]`, as in gymnasium's own vector environments with AutoresetMode.SAME_STEP.
    What is returned belongs to the caller: nothing of it is the twin's own memory.
    """

    def __init__(self, layouts: Layouts, num_envs: int, *, seed: int = 0, device: str | torch.device = "cpu") -> None:
        """Make the worlds. Raises ValueError unless there is at least one."""
        self._make: Callable[[int], BatchedEpisodes] = lambda seed: BatchedEpisodes(
            layouts, num_envs, generator=torch.Generator().manual_seed(seed), device=device
        )
        self._begin_from(seed)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        view = layouts.spec.view
        image = spaces.Box(0, _LARGEST_VALUE, (view, view, 3), dtype=np.uint8)
        mission = spaces.MultiDiscrete([*MISSION_SIZES])
        self.num_envs = num_envs
        self.single_observation_space = spaces.Dict(
            {"direction": spaces.Discrete(4), "image": image, "mission": mission}
        )
        self.single_action_space = spaces.Discrete(len(Actions))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, object] | None = None
    ) -> tuple[VectorObservation, VectorInfo]:
        """Begin an episode in every world: with a seed the first that it draws, without one the world's next.

        Raises ValueError for options, as there are none, and for a seed that is not one number, at least 0.
        """
        if options:
            raise ValueError(f"The options {options} were given; the twin's vector environment has none.")
        if seed is None:
            self.episodes.begin_next()
        else:
            self._begin_from(seed)
        return self._observe(self.episodes.state), {}

    def step(
        self, actions: object
    ) -> tuple[
        VectorObservation,
        Float32[np.ndarray, " world"],
        Bool[np.ndarray, " world"],
        Bool[np.ndarray, " world"],
        VectorInfo,
    ]:
        """Take one action in every world.

        Raises ValueError for actions that MiniGrid does not have, and for any but one integer for each world.
        """
        action = np.asarray(actions)
        if action.dtype.kind not in "iu":
            raise ValueError(f"The actions are {action.dtype}; actions are integers, 0 to {len(Actions) - 1}.")
        action = torch.tensor(action.astype(np.int64), device=self.episodes.state.position.device)
        advance = self.episodes.step(action)
        result = advance.result
        info = self._final_info(advance.final, advance.ended.cpu().numpy()) if len(advance.ended) else {}
        return (
            self._observe(self.episodes.state),
            result.reward.cpu().numpy(),
            result.terminated.cpu().numpy(),
            result.truncated.cpu().numpy(),
            info,
        )

    def put(self, state: State, *, episode: Int64[torch.Tensor, " world"] | None = None) -> VectorObservation:
        """Go on from another state of the same worlds, and return what it shows; see `BatchedEpisodes.put`."""
        self.episodes.put(state, episode=episode)
        return self._observe(self.episodes.state)

    def _begin_from(self, seed: int | Sequence[int | None]) -> None:
        if not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise ValueError(f"The seed is {seed}; it is one number, at least 0, that draws the starts of all worlds.")
        super().reset(seed=seed)
        self.episodes = self._make(seed)

    def _observe(self, state: State) -> VectorObservation:
        spec = self.episodes.spec
        return {
            "direction": state.direction.cpu().numpy().copy(),  # on the processor it would be the state's own memory
            "image": observe(state, spec).cpu().numpy(),
            "mission": mission_of(state, spec).cpu().numpy(),
        }

    def _final_info(self, final: State, ended: Int64[np.ndarray, " ended"]) -> VectorInfo:
        """Return the last observations as gymnasium lays them out: one object per world, and a mask.

        MiniGrid's environments have no info of their own, so the last infos are empty.
        """
        last = self._observe(final)
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row, world in enumerate(ended):
            final_obs[world] = {
                "direction": last["direction"][row],
                "image": last["image"][row],
                "mission": last["mission"][row],
            }
        is_final = np.isin(np.arange(self.num_envs), ended)
        return {"final_obs": final_obs, "_final_obs": is_final, "final_info": {}, "_final_info": is_final.copy()}
