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


def test_a_cut_episode_tells_the_frame_that_it_would_have_gone_on_from() -> None:
    worlds, env = _worlds("MiniGrid-Empty-5x5-v0", n_worlds=2), make("MiniGrid-Empty-5x5-v0")
    env.reset(seed=worlds.first_seed[0])
    for _ in range(worlds.max_steps - 1):
        env.step(0)
        outcome = worlds.step(torch.tensor([0, 0]))
        assert outcome.cut_frame_id is not None
        assert torch.equal(outcome.cut_frame_id, outcome.frame_id)
    last, outcome = env.step(2)[0]["image"], worlds.step(torch.tensor([2, 2]))
    assert outcome.truncated.all()
    assert outcome.cut_frame_id is not None
    assert np.array_equal(worlds.frames[outcome.cut_frame_id[0]].numpy(), last)
    assert outcome.cut_frame_id[0] != outcome.frame_id[0]


def test_worlds_put_aside_go_on_as_if_nothing_had_happened() -> None:
    worlds, other, rng = _worlds(), _worlds(), np.random.default_rng(0)
    for _ in range(150):
        worlds.step(torch.tensor(rng.integers(0, 3, 4)))
    other.load_state_dict(worlds.state_dict())
    for _ in range(150):
        action = torch.tensor(rng.integers(0, 3, 4))
        ours, theirs = other.step(action), worlds.step(action)
        for one, twin in zip(vars(ours).values(), vars(theirs).values(), strict=True):
            assert torch.equal(one, twin)
    assert torch.equal(other.frames, worlds.frames)
    assert torch.equal(other.facts(), worlds.facts())


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
