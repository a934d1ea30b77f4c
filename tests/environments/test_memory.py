"""The memory task's rules, played through in MiniGrid itself."""

from typing import cast

import gymnasium
import numpy as np
import pytest
from minigrid.core.actions import Actions
from minigrid.envs.memory import MemoryEnv

MOVABLE = "MiniGrid-MemoryS7FixedStart-v0"
STATIC = "MiniGrid-MemoryS7FixedStartStatic-v0"
RANDOM_DIRECTION = "MiniGrid-MemoryS7RandomDirection-v0"
KEY, BALL = 5, 6
SEEDS = range(40)

left, right, forward, pickup, drop, toggle, done = Actions


def _make(env_id: str, seed: int) -> MemoryEnv:
    env = cast(MemoryEnv, gymnasium.make(env_id, disable_env_checker=True).unwrapped)
    env.reset(seed=seed)
    return env


def _frame(env: MemoryEnv) -> np.ndarray:
    return env.gen_obs()["image"]


def _correct_turn(env: MemoryEnv) -> Actions:
    """Read from the grid, not from the environment's own success cell."""
    instruction, top = env.grid.get(1, 2), env.grid.get(5, 1)
    assert instruction is not None
    assert top is not None
    return left if instruction.type == top.type else right


@pytest.mark.parametrize("env_id", [MOVABLE, STATIC])
def test_the_agent_starts_beside_the_instruction_and_faces_east(env_id: str) -> None:
    starts = {(*map(int, env.agent_pos), env.agent_dir) for env in (_make(env_id, seed) for seed in SEEDS)}
    assert starts == {(1, 3, 0)}


def test_random_direction_starts_anywhere_in_the_corridor_row_facing_anywhere() -> None:
    environments = (_make(RANDOM_DIRECTION, seed) for seed in range(200))
    starts = {(*map(int, env.agent_pos), env.agent_dir) for env in environments}
    assert starts == {(x, 3, direction) for x in (1, 2, 3, 4) for direction in range(4)}


@pytest.mark.parametrize("env_id", [MOVABLE, STATIC])
def test_the_layout_is_the_one_that_minigrid_makes_from_the_same_seed(env_id: str) -> None:
    for seed in SEEDS:
        ours, theirs = _make(env_id, seed), _make("MiniGrid-MemoryS7-v0", seed)
        np.testing.assert_array_equal(ours.grid.encode(), theirs.grid.encode())
        assert (ours.success_pos, ours.failure_pos) == (theirs.success_pos, theirs.failure_pos)


@pytest.mark.parametrize("env_id", [MOVABLE, STATIC])
def test_the_best_path_takes_six_actions_and_returns_0_892(env_id: str) -> None:
    for seed in SEEDS:
        env = _make(env_id, seed)
        outcomes = [env.step(action)[1:4] for action in [*[forward] * 4, _correct_turn(env), forward]]
        assert outcomes[:-1] == [(0, False, False)] * 5
        assert outcomes[-1] == (pytest.approx(0.892), True, False)


@pytest.mark.parametrize("env_id", [MOVABLE, STATIC])
def test_the_wrong_turn_ends_the_episode_with_nothing(env_id: str) -> None:
    for seed in SEEDS:
        env = _make(env_id, seed)
        wrong_turn = right if _correct_turn(env) == left else left
        *_, last = [env.step(action)[1:4] for action in [*[forward] * 4, wrong_turn, forward]]
        assert last == (0, True, False)


def test_pickup_really_picks_up_in_the_movable_world() -> None:
    env = _make(MOVABLE, 0)
    instruction = env.grid.get(1, 2)
    env.step(left)
    env.step(pickup)
    assert env.carrying is instruction
    assert env.grid.get(1, 2) is None
    assert _frame(env)[3, 6, 0] in (KEY, BALL), "the carried object shows in the agent's own cell"


def test_pickup_moves_nothing_in_the_static_world() -> None:
    env = _make(STATIC, 0)
    before = env.grid.encode()
    for action in (left, pickup, toggle, drop, done):
        env.step(action)
    assert env.carrying is None
    np.testing.assert_array_equal(env.grid.encode(), before)


def test_a_dropped_object_bars_the_way_until_it_is_picked_up() -> None:
    env = _make(MOVABLE, 0)
    for action in (left, pickup, right, drop, forward):
        env.step(action)
    assert tuple(env.agent_pos) == (1, 3)
    assert env.grid.get(2, 3) is not None
    for action in (pickup, forward):
        env.step(action)
    assert tuple(env.agent_pos) == (2, 3)


def test_carrying_the_instruction_away_does_not_change_where_success_is() -> None:
    for seed in SEEDS:
        env = _make(MOVABLE, seed)
        turn = _correct_turn(env)
        *_, last = [env.step(action)[1:4] for action in [left, pickup, right, *[forward] * 4, turn, forward]]
        assert last == (pytest.approx(1 - 0.9 * 9 / 50), True, False)


INSTRUCTION, TOP, BOTTOM = (1, 2), (5, 1), (5, 5)


@pytest.mark.parametrize(
    ("actions", "cell", "x", "y"),
    [
        ([], INSTRUCTION, 2, 6),
        ([], TOP, 1, 2),
        ([], BOTTOM, 5, 2),
        ([forward] * 4, TOP, 1, 6),
        ([forward] * 4, BOTTOM, 5, 6),
        ([*[forward] * 4, left, left], INSTRUCTION, 4, 2),
        ([*[forward] * 3, left, left], INSTRUCTION, 4, 3),
        ([*[forward] * 2, left], INSTRUCTION, 1, 5),
        ([*[forward] * 3, left], INSTRUCTION, 0, 5),
    ],
)
def test_an_object_shows_at_its_published_place_in_the_view(
    actions: list[Actions], cell: tuple[int, int], x: int, y: int
) -> None:
    for seed in SEEDS:
        env = _make(MOVABLE, seed)
        for action in actions:
            env.step(action)
        shown = env.grid.get(*cell)
        assert shown is not None
        assert tuple(_frame(env)[x, y]) == shown.encode()
