"""Layouts into a gymnasium vector environment that the twin steps, so that anybody's agent can train on it."""

from collections.abc import Callable
from typing import TypedDict

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool, Float32, Int64, UInt8
from minigrid.core.actions import Actions

from environments.batched.episodes import Episodes
from environments.batched.layouts import Layouts
from environments.batched.sight import observe
from environments.batched.state import State

_LARGEST_VALUE = 10
"""MiniGrid's largest channel value, that of the agent's own object."""


class VectorObservation(TypedDict):
    """What all agents see; MiniGrid's own observation without the mission."""

    image: UInt8[np.ndarray, "world view view 3"]
    direction: Int64[np.ndarray, " world"]


class TwinVectorEnv(VectorEnv):
    """The twin as a `gymnasium.vector.VectorEnv`.

    Autoreset happens in the same step: the observation of an episode's last step is the first of the next episode, and
    the last one stands in `info["final_obs"]`, as in gymnasium's own vector environments with AutoresetMode.SAME_STEP.
    """

    def __init__(self, layouts: Layouts, num_envs: int, *, seed: int = 0, device: str | torch.device = "cpu") -> None:
        """Make the worlds. Raises ValueError unless there is at least one."""
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        view = layouts.setting.view
        image = spaces.Box(0, _LARGEST_VALUE, (view, view, 3), dtype=np.uint8)
        self.num_envs = num_envs
        self.single_observation_space = spaces.Dict({"direction": spaces.Discrete(4), "image": image})
        self.single_action_space = spaces.Discrete(len(Actions))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._make: Callable[[int], Episodes] = lambda seed: Episodes(
            layouts, num_envs, generator=torch.Generator().manual_seed(seed), device=device
        )
        self._episodes = self._make(seed)

    def reset(
        self, *, seed: int | None = None, options: dict[str, object] | None = None
    ) -> tuple[VectorObservation, dict[str, np.ndarray]]:
        """Begin an episode in every world; a seed draws the starts anew.

        Raises ValueError for options, as there are none.
        """
        if options:
            raise ValueError(f"The options {options} were given; the twin's vector environment has none.")
        if seed is not None:
            self._episodes = self._make(seed)
        self._episodes.reset()
        return self._observe(self._episodes.state), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[
        VectorObservation,
        Float32[np.ndarray, " world"],
        Bool[np.ndarray, " world"],
        Bool[np.ndarray, " world"],
        dict[str, np.ndarray],
    ]:
        """Take one action in every world. Raises ValueError for actions that MiniGrid does not have."""
        action = torch.as_tensor(np.asarray(actions), dtype=torch.int64, device=self._episodes.state.position.device)
        advance = self._episodes.step(action)
        verdict = advance.verdict
        info = self._final_info(advance.final, advance.ended.cpu().numpy()) if len(advance.ended) else {}
        return (
            self._observe(self._episodes.state),
            verdict.reward.cpu().numpy(),
            verdict.terminated.cpu().numpy(),
            verdict.truncated.cpu().numpy(),
            info,
        )

    def _observe(self, state: State) -> VectorObservation:
        image = observe(state, self._episodes.setting).cpu().numpy()
        return {"direction": state.direction.cpu().numpy(), "image": image}

    def _final_info(self, final: State, ended: Int64[np.ndarray, " ended"]) -> dict[str, np.ndarray]:
        """Return the last observations as gymnasium lays them out: one object per world, and a mask."""
        last = self._observe(final)
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row, world in enumerate(ended):
            final_obs[world] = {"direction": last["direction"][row], "image": last["image"][row]}
        is_final = np.isin(np.arange(self.num_envs), ended)
        return {"final_obs": final_obs, "_final_obs": is_final}
