"""Saving and restoring a situation, against the environment that went on undisturbed."""

from copy import deepcopy
from dataclasses import replace
from typing import cast

import gymnasium
import numpy as np
import pytest
from minigrid.core.world_object import Ball, Key
from minigrid.envs.memory import MemoryEnv

from environments.graph.situations import put_into, situation_of


def _make(seed: int = 0) -> MemoryEnv:
    env = cast(MemoryEnv, gymnasium.make("MiniGrid-MemoryS7FixedStart-v0", disable_env_checker=True).unwrapped)
    env.reset(seed=seed)
    return env


def _play(env: MemoryEnv, actions: list[int]) -> list[object]:
    """What the environment answers, in a form that can be compared."""
    answers = [env.step(action) for action in actions]
    return [(answer[0]["image"].tolist(), *answer[1:4]) for answer in answers]


@pytest.mark.parametrize("seed", range(5))
def test_a_restored_environment_goes_on_as_a_deep_copy_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    env = _make(seed)
    _play(env, rng.integers(0, 7, 20).tolist())
    env.step_count = 0
    copy, situation = deepcopy(env), situation_of(env)
    actions = rng.integers(0, 7, 30).tolist()
    _play(env, actions)
    put_into(env, situation)
    assert _play(env, actions) == _play(copy, actions)


def test_a_situation_is_untouched_by_what_happens_later() -> None:
    env = _make()
    situation = situation_of(env)
    key = situation.key()
    _play(env, [0, 3, 1, 4, 2])
    assert situation.key() == key


def test_situations_of_equal_resets_share_their_key() -> None:
    assert situation_of(_make(1)).key() == situation_of(_make(1)).key()


def test_the_step_counter_is_no_part_of_a_situation() -> None:
    env = _make()
    before = situation_of(env).key()
    env.step(6)
    assert situation_of(env).key() == before


def test_each_part_of_a_situation_tells_it_apart() -> None:
    situation = situation_of(_make())
    other_cells = tuple(Ball("green") if isinstance(cell, Key) else cell for cell in situation.cells)
    others = [
        replace(situation, cells=other_cells),
        replace(situation, position=(2, 3)),
        replace(situation, direction=1),
        replace(situation, carrying=Key("green")),
        replace(situation, carrying=Ball("green")),
        replace(situation, success_position=situation.failure_position),
        replace(situation, failure_position=situation.success_position),
    ]
    assert len({situation.key(), *(other.key() for other in others)}) == 1 + len(others)
