from typing import cast

import gymnasium
import pytest
from gymnasium.spaces import Dict
from minigrid.core.mission import MissionSpace

from environments.registration import SUPPORTED_IDS, make
from environments.resets import beginnings

MINIGRID_IDS = [name for name in gymnasium.registry if name.startswith("MiniGrid-") and "WFC" not in name]


@pytest.mark.filterwarnings("ignore:.*is out of date:DeprecationWarning")
def test_the_worlds_whose_mission_is_unread_are_those_whose_mission_space_has_a_choice():
    for env_id in MINIGRID_IDS:
        spaces = cast(Dict, make(env_id).observation_space).spaces
        places = cast(MissionSpace, spaces["mission"]).ordered_placeholders or ()
        has_choice = any(len(set(words)) > 1 for words in places)
        assert (beginnings(env_id).unread_mission is not None) == has_choice, env_id


@pytest.mark.parametrize("env_id", SUPPORTED_IDS)
def test_a_memory_world_tells_all_in_its_frames(env_id):
    assert beginnings(env_id).unread_mission is None


@pytest.mark.parametrize(
    ("env_id", "is_unread"),
    [
        ("BabyAI-GoToObj-v0", True),
        ("BabyAI-PickupLoc-v0", True),
        ("BabyAI-GoToRedBall-v0", False),  # "a red ball" and "the red ball"
        ("BabyAI-OpenRedDoor-v0", False),
    ],
)
def test_a_babyai_level_is_judged_by_the_missions_that_it_draws(env_id, is_unread):
    assert (beginnings(env_id).unread_mission is not None) == is_unread


def test_the_sentence_names_the_world_and_two_of_its_missions():
    expected = (
        "MiniGrid-GoToDoor-5x5-v0 gives each episode a mission of its own, such as 'go to the green door' or 'go to the"
    )
    assert str(beginnings("MiniGrid-GoToDoor-5x5-v0").unread_mission).startswith(expected)


@pytest.mark.parametrize("env_id", ["BabyAI-GoToLocalS6N2-v0", "MiniGrid-Empty-5x5-v0", "MiniGrid-MemoryS7-v0"])
def test_the_time_limit_is_the_one_after_a_reset(env_id):
    env = make(env_id)
    env.reset(seed=0)
    assert beginnings(env_id).max_steps == env.max_steps > 0


def test_of_limits_that_are_drawn_the_longest_counts():
    env, limits = make("BabyAI-GoToSeqS5R2-v0"), set()
    for seed in range(12):
        env.reset(seed=seed)
        limits.add(env.max_steps)
    assert len(limits) > 1
    assert beginnings("BabyAI-GoToSeqS5R2-v0").max_steps >= max(limits)
