"""The twin as a gymnasium vector environment, and an agent of another library that trains on it."""

from collections.abc import Mapping
from typing import Any, cast

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.rollout import Runner
from dtinterp.agents.training import train_agent
from dtinterp.foundation.jobs.interruption import TrainingRecord
from environments.twin.drawing import parse_drawing
from environments.twin.layouts import Layouts, draw_layouts, uniform
from environments.twin.vector import TwinVectorEnv
from environments.twin_worlds import TwinWorlds

FORWARD = 2


class AsVecEnv(VecEnv):
    """Gymnasium's vector environment as stable-baselines3 wants one, with some parts of its observations."""

    def __init__(self, env: TwinVectorEnv, *names: str) -> None:
        self.env, self.names = env, names
        self.render_mode = None
        spaces = cast(gymnasium.spaces.Dict, env.single_observation_space).spaces
        shown = gymnasium.spaces.Dict({name: spaces[name] for name in names})
        super().__init__(env.num_envs, shown, env.single_action_space)

    def reset(self) -> dict[str, np.ndarray]:
        return self._shown(self.env.reset()[0])

    def step_async(self, actions: np.ndarray) -> None:
        self.actions = actions

    def step_wait(self) -> tuple:
        observation, reward, terminated, truncated, info = self.env.step(self.actions)
        infos: list[dict[str, object]] = [{} for _ in range(self.num_envs)]
        for world in np.flatnonzero(terminated | truncated):
            infos[world] = {
                "terminal_observation": self._shown(info["final_obs"][world]),
                "TimeLimit.truncated": bool(truncated[world] and not terminated[world]),
            }
        return self._shown(observation), reward, terminated | truncated, infos

    def _shown(self, observation: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return {name: observation[name] for name in self.names}

    def close(self) -> None:
        self.env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list:
        return [getattr(self, attr_name, None) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: object, indices: VecEnvIndices = None) -> None:
        raise NotImplementedError(f"{attr_name} of {indices} cannot be {value}")

    def env_method(self, method_name: str, *args: object, indices: VecEnvIndices = None, **kwargs: object) -> list:
        raise NotImplementedError(f"{method_name} of {indices} with {args} and {kwargs}")

    def env_is_wrapped(self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        return [isinstance(self.env, wrapper_class) for _ in self._get_indices(indices)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # another library's, on its way
def test_an_agent_of_stable_baselines_trains_on_the_twin() -> None:
    layouts = draw_layouts("MiniGrid-Empty-5x5-v0", range(3))
    env = AsVecEnv(TwinVectorEnv(layouts, 16), "image", "direction", "mission")
    agent = PPO("MultiInputPolicy", env, n_steps=64, batch_size=256, seed=0)
    before = [parameter.detach().clone() for parameter in agent.policy.parameters()]
    agent.learn(3 * 16 * 64)
    assert agent.num_timesteps == 3 * 16 * 64
    after = list(agent.policy.parameters())
    assert any((one != two).any() for one, two in zip(before, after, strict=True))
    assert all(parameter.isfinite().all() for parameter in after)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # another library's, on its way
def test_sb3_contribs_recurrent_ppo_and_ours_agree_on_what_to_do_and_what_it_is_worth() -> None:
    """The goal is one step ahead, so the best action is forward and pays 1 − 0.9 / 100."""
    contrib = pytest.importorskip("sb3_contrib")
    layouts = _goal_ahead()
    theirs = contrib.RecurrentPPO(
        "MultiInputLstmPolicy",
        AsVecEnv(TwinVectorEnv(layouts, 16), "image", "direction"),  # it fails on a mission's numbers
        n_steps=16,
        batch_size=128,
        n_epochs=5,
        learning_rate=1e-2,
        ent_coef=0.0,
        policy_kwargs={"net_arch": [], "lstm_hidden_size": 16},
        seed=0,
    )
    theirs.learn(24 * 16 * 16)
    observation = AsVecEnv(TwinVectorEnv(layouts, 1), "image", "direction").reset()
    action, _ = theirs.predict(observation, deterministic=True)
    seen = theirs.policy.obs_to_tensor(observation)[0]
    state = (torch.zeros(1, 1, 16), torch.zeros(1, 1, 16))
    their_value = theirs.policy.predict_values(seen, state, torch.ones(1)).item()

    worlds = TwinWorlds(layouts, 16, generator=torch.Generator().manual_seed(0))
    config = AgentConfig(
        steps=24 * 16 * 16, n_worlds=16, n_rollout=16, d_hidden=16, learning_rate=1e-2, entropy=0.0, device="cpu"
    )
    network = train_agent(worlds, config, TrainingRecord()).network
    rollout = Runner(network, worlds, torch.Generator().manual_seed(0)).roll(4)
    our_value = rollout.value[rollout.is_first].mean().item()

    assert action[0] == FORWARD
    assert (rollout.action == FORWARD).float().mean() > 0.95
    assert (our_value, their_value) == pytest.approx((0.991, 0.991), abs=0.02)


def _goal_ahead() -> Layouts:
    spec = draw_layouts("MiniGrid-Empty-5x5-v0", range(1)).spec
    drawing = """
        # # # # #
        # . . . #
        # . . . #
        # . > Gg #
        # # # # #
    """
    return uniform(spec, [parse_drawing(drawing, spec)])
