"""MiniGrid's own environments behind the worlds' protocol."""

import numpy as np
import pytest
import torch

from environments.minigrid_worlds import MiniGridWorlds
from environments.registration import make
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


@pytest.mark.parametrize("env_id", [MOVING, "MiniGrid-Dynamic-Obstacles-Random-6x6-v0"])
def test_starts_do_not_depend_on_what_is_done(env_id: str) -> None:
    """Obstacles draw random numbers as they move; every episode begins from its own seed all the same."""
    starts = []
    for seed in (1, 2):
        worlds, rng = _worlds(env_id), np.random.default_rng(seed)
        seen: list[list[int]] = [[] for _ in range(4)]
        for _ in range(150):
            outcome = worlds.step(torch.tensor(rng.choice(3, 4, p=[0.1, 0.2, 0.7])))
            for world in (outcome.terminated | outcome.truncated).nonzero()[:, 0].tolist():
                seen[world].append(worlds.frames[outcome.frame_id[world]].numpy().tobytes())
        starts.append(seen)
    for one, other in zip(*starts, strict=True):
        shared = min(len(one), len(other))
        assert shared > 5
        assert one[:shared] == other[:shared]


@pytest.mark.parametrize("env_id", [MOVING, "MiniGrid-Dynamic-Obstacles-16x16-v0", "BabyAI-GoToRedBall-v0"])
def test_facts_are_what_a_slow_look_at_minigrids_objects_finds(env_id: str) -> None:
    worlds, env, rng = _worlds(env_id, 1), make(env_id), np.random.default_rng(0)
    env.reset(seed=worlds.first_seed[0])
    for _ in range(40):
        facts = dict(zip(worlds.fact_names, worlds.facts()[0].tolist(), strict=True))
        view, is_seen = env.gen_obs_grid()
        seen = [view.get(x, y) for x in range(7) for y in range(7) if is_seen[x, y]]
        for kind in ("door", "key", "ball", "box", "goal", "lava"):
            assert facts[f"{kind}_visible"] == sum(thing is not None and thing.type == kind for thing in seen)
        assert (facts["x"], facts["y"], facts["direction"]) == (*env.agent_pos, env.agent_dir)
        assert facts["time"] == env.step_count
        if env_id == "BabyAI-GoToRedBall-v0":
            assert not any(name.startswith("target") for name in facts)
        else:
            assert (facts["target_x"], facts["target_y"]) == (env.width - 2, env.height - 2)
            assert facts["target_visible"] == facts["goal_visible"]
        action = int(rng.integers(0, 3))
        worlds.step(torch.tensor([action]))
        if any(env.step(action)[2:4]):
            break


def test_facts_say_where_the_agent_is_and_what_it_sees() -> None:
    worlds = _worlds()
    facts = dict(zip(worlds.fact_names, worlds.facts().T.tolist(), strict=True))
    assert facts["x"] == facts["y"] == [1] * 4
    assert facts["goal_visible"] == [1] * 4
    assert facts["time"] == [0] * 4


def test_a_level_whose_time_limit_is_drawn_has_one() -> None:
    assert _worlds("BabyAI-GoToRedBall-v0").max_steps > 0


def test_the_time_limit_is_that_of_the_longest_episode_so_far() -> None:
    worlds, limits = _worlds("BabyAI-GoToSeqS5R2-v0", n_worlds=1), []
    for episode in range(12):
        env = make("BabyAI-GoToSeqS5R2-v0")
        env.reset(seed=worlds.first_seed[0] + episode)
        limits.append(env.max_steps)
        assert worlds.max_steps == max(limits)
        while not (worlds.step(torch.tensor([0])).truncated).any():
            pass
    assert len(set(limits)) > 1


def test_bad_calls_are_refused() -> None:
    with pytest.raises(ValueError, match=r"An action is 3; actions are 0 to 2"):
        _worlds().step(torch.tensor([0, 0, 3, 0]))
    with pytest.raises(ValueError, match=r"There are 1 actions for 4 worlds"):
        _worlds().step(torch.tensor([1]))
    with pytest.raises(ValueError, match=r"The actions are torch\.float32; actions are integers, 0 to 2"):
        _worlds().step(torch.full((4,), 1.7))
    with pytest.raises(ValueError, match=r"number of worlds is 0"):
        _worlds(n_worlds=0)
