"""The twin as a gymnasium vector environment, and an agent of another library that trains on it."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.rollout import Runner
from dtinterp.agents.training import Record, train_agent
from environments.batched.drawing import parse_drawing
from environments.batched.layouts import Layouts, draw_layouts, uniform
from environments.registration import SUPPORTED_IDS
from environments.twin_worlds import TwinWorlds
from environments.vector import TwinVectorEnv

FORWARD = 2
DOORS = "MiniGrid-DoorKey-5x5-v0"


def _twin(n_worlds: int = 4, **options: int) -> TwinVectorEnv:
    return TwinVectorEnv(draw_layouts(DOORS, range(6), **options), n_worlds, seed=1)


@pytest.mark.parametrize("env_id", SUPPORTED_IDS[:3])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_our_own_ids_pass_gymnasiums_check(env_id: str) -> None:
    check_env(gymnasium.make(env_id).unwrapped, skip_render_check=True)


def test_the_twin_is_a_vector_environment_that_says_how_it_starts_over() -> None:
    env = _twin()
    assert isinstance(env, VectorEnv)
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP


def test_observations_lie_in_the_declared_space() -> None:
    env = _twin()
    observation, info = env.reset(seed=3)
    assert info == {}
    assert observation in env.observation_space
    for _ in range(30):
        observation, *_ = env.step(env.action_space.sample())
        assert observation in env.observation_space


def test_it_behaves_as_gymnasiums_own_vector_environment_does() -> None:
    """One layout only, so both begin every episode alike, whatever the draws."""
    layouts = draw_layouts("MiniGrid-Empty-5x5-v0", [0], max_steps=9)
    twin = TwinVectorEnv(layouts, 3)
    theirs = SyncVectorEnv(
        [lambda: gymnasium.make("MiniGrid-Empty-5x5-v0", max_steps=9)] * 3, autoreset_mode=AutoresetMode.SAME_STEP
    )
    ours, other = twin.reset(seed=0)[0], theirs.reset(seed=0)[0]
    rng = np.random.default_rng(0)
    n_ended = 0
    for _ in range(60):
        assert all(np.array_equal(ours[key], other[key]) for key in ("image", "direction"))
        action = rng.choice(7, size=3, p=[0.1, 0.2, 0.7, 0, 0, 0, 0])
        ours, *told, info = twin.step(action)
        other, *expected, their_info = theirs.step(action)
        assert all(np.allclose(one, two) for one, two in zip(told, expected, strict=True))
        assert info.keys() <= {"final_obs", "_final_obs"}
        if "final_obs" in their_info:
            n_ended += 1
            assert np.array_equal(info["_final_obs"], their_info["_final_obs"])
            for world in np.flatnonzero(info["_final_obs"]):
                last, their_last = info["final_obs"][world], their_info["final_obs"][world]
                assert np.array_equal(last["image"], their_last["image"])
                assert last["direction"] == their_last["direction"]
    assert n_ended > 5


def test_a_seed_gives_the_same_starts_and_another_seed_others() -> None:
    env = _twin(64)
    images = [env.reset(seed=seed)[0]["image"] for seed in (1, 1, 2)]
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


def test_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"The options \{'difficulty': 3\} were given"):
        _twin().reset(options={"difficulty": 3})


class AsVecEnv(VecEnv):
    """Gymnasium's vector environment as stable-baselines3 wants one."""

    def __init__(self, env: TwinVectorEnv) -> None:
        self.env = env
        self.render_mode = None
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> dict[str, np.ndarray]:
        observation, _ = self.env.reset()
        return {"image": observation["image"], "direction": observation["direction"]}

    def step_async(self, actions: np.ndarray) -> None:
        self.actions = actions

    def step_wait(self) -> tuple:
        observation, reward, terminated, truncated, info = self.env.step(self.actions)
        infos: list[dict[str, object]] = [{} for _ in range(self.num_envs)]
        for world in np.flatnonzero(terminated | truncated):
            infos[world] = {
                "terminal_observation": info["final_obs"][world],
                "TimeLimit.truncated": bool(truncated[world] and not terminated[world]),
            }
        return observation, reward, terminated | truncated, infos

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
    agent = PPO("MultiInputPolicy", AsVecEnv(TwinVectorEnv(layouts, 16)), n_steps=64, batch_size=256, seed=0)
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
        AsVecEnv(TwinVectorEnv(layouts, 16)),
        n_steps=16,
        batch_size=128,
        n_epochs=5,
        learning_rate=1e-2,
        ent_coef=0.0,
        policy_kwargs={"net_arch": [], "lstm_hidden_size": 16},
        seed=0,
    )
    theirs.learn(24 * 16 * 16)
    observation, _ = TwinVectorEnv(layouts, 1).reset()
    action, _ = theirs.predict(dict(observation), deterministic=True)
    seen = theirs.policy.obs_to_tensor(dict(observation))[0]
    state = (torch.zeros(1, 1, 16), torch.zeros(1, 1, 16))
    their_value = theirs.policy.predict_values(seen, state, torch.ones(1)).item()

    worlds = TwinWorlds(layouts, 16, generator=torch.Generator().manual_seed(0))
    config = AgentConfig(
        steps=24 * 16 * 16, n_worlds=16, n_rollout=16, d_hidden=16, learning_rate=1e-2, entropy=0.0, device="cpu"
    )
    network = train_agent(worlds, config, Record()).network
    rollout = Runner(network, worlds, torch.Generator().manual_seed(0)).roll(4)
    our_value = rollout.value[rollout.is_first].mean().item()

    assert action[0] == FORWARD
    assert (rollout.action == FORWARD).float().mean() > 0.95
    assert (our_value, their_value) == pytest.approx((0.991, 0.991), abs=0.02)


def _goal_ahead() -> Layouts:
    setting = draw_layouts("MiniGrid-Empty-5x5-v0", range(1)).setting
    drawing = """
        # # # # #
        # . . . #
        # . . . #
        # . > Gg #
        # # # # #
    """
    return uniform(setting, [parse_drawing(drawing, setting)])
