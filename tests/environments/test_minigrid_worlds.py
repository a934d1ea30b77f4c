"""MiniGrid's own environments behind the worlds' protocol."""

import numpy as np
import pytest
import torch

from environments.batched.families import make
from environments.minigrid_worlds import MiniGridWorlds
from environments.worlds import Worlds

MOVING = "MiniGrid-Dynamic-Obstacles-5x5-v0"


def _worlds(env_id: str = MOVING, n_worlds: int = 4) -> MiniGridWorlds:
    return MiniGridWorlds(env_id, n_worlds, generator=torch.Generator().manual_seed(0))


def test_worlds_with_moving_obstacles_keep_the_protocol() -> None:
    worlds = _worlds()
    assert isinstance(worlds, Worlds)
    assert (worlds.n_actions, worlds.max_steps) == (3, 100)


def test_steps_are_those_of_an_environment_with_the_same_seed() -> None:
    worlds, env = _worlds(n_worlds=1), make(MOVING)
    seed = worlds.first_seed[0]
    image = env.reset(seed=seed)[0]["image"]
    frame_id = worlds.reset()
    for action in (2, 1, 2, 2, 0, 2, 1, 2, 2, 0, 2, 2):
        assert np.array_equal(worlds.frames[frame_id[0]].numpy(), image)
        observation, reward, terminated, truncated, _ = env.step(action)
        outcome = worlds.step(torch.tensor([action]))
        assert (outcome.reward.item(), outcome.terminated.item()) == (np.float32(reward), terminated)
        frame_id, image = outcome.frame_id, observation["image"]
        if terminated or truncated:
            seed += 1
            image = env.reset(seed=seed)[0]["image"]


def test_reset_goes_back_to_the_same_first_episodes() -> None:
    worlds = _worlds()
    first = worlds.frames[worlds.reset()]
    for _ in range(10):
        worlds.step(torch.tensor([2, 1, 2, 0]))
    assert torch.equal(worlds.frames[worlds.reset()], first)


def test_facts_say_where_the_agent_is_and_what_it_sees() -> None:
    worlds = _worlds()
    facts = dict(zip(worlds.fact_names, worlds.facts().T.tolist(), strict=True))
    assert facts["x"] == facts["y"] == [1] * 4
    assert facts["goal_visible"] == [1] * 4
    assert facts["time"] == [0] * 4


def test_bad_calls_are_refused() -> None:
    with pytest.raises(ValueError, match=r"An action is 3; actions are 0 to 2"):
        _worlds().step(torch.tensor([0, 0, 3, 0]))
    with pytest.raises(ValueError, match=r"number of worlds is 0"):
        _worlds(n_worlds=0)
