"""Facts of the memory family against a slow computation that follows the objects themselves through MiniGrid."""

from typing import cast

import gymnasium
import numpy as np
import pytest
from minigrid.core.constants import OBJECT_TO_IDX
from minigrid.core.world_object import WorldObj
from minigrid.envs.memory import MemoryEnv

from environments.families.facts import facts_of_states
from environments.families.memory import MEMORY_FACTS
from environments.twin.layouts import spec_of, state_of

IDS = ["MiniGrid-MemoryS7FixedStart-v0", "MiniGrid-MemoryS7RandomDirection-v0", "MiniGrid-MemoryS13Random-v0"]
KINDS = ("key", "ball")


def _find(env: MemoryEnv, thing: WorldObj) -> tuple[int, int] | None:
    """The cell in which this very object lies."""
    cells = ((x, y) for x in range(env.width) for y in range(env.height))
    return next((cell for cell in cells if env.grid.get(*cell) is thing), None)


def _is_visible(env: MemoryEnv, thing: WorldObj) -> bool:
    """Whether the frame shows this object, held in the hand or lying at the cell where the frame would have it."""
    cell = _find(env, thing)
    place = (3, 6) if cell is None else env.relative_coords(*cell)
    return place is not None and tuple(env.gen_obs()["image"][place]) == thing.encode()


def _count(env: MemoryEnv, kind: str) -> int:
    return int((env.gen_obs()["image"][..., 0] == OBJECT_TO_IDX[kind]).sum())


def _objects_at_reset(env: MemoryEnv) -> tuple[WorldObj, WorldObj, WorldObj]:
    """The instruction, the top target and the bottom target."""
    middle = env.height // 2
    things = [
        thing
        for x in range(env.width)
        for y in range(env.height)
        if (thing := env.grid.get(x, y)) is not None and thing.type in KINDS
    ]
    instruction = env.grid.get(1, middle - 1)
    top, bottom = (thing for thing in things if thing is not instruction)
    assert instruction is not None
    return instruction, top, bottom


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("seed", range(6))
def test_facts_agree_with_the_objects_at_every_step(env_id: str, seed: int) -> None:
    env = cast(MemoryEnv, gymnasium.make(env_id, disable_env_checker=True).unwrapped)
    env.reset(seed=seed)
    instruction, top, bottom = _objects_at_reset(env)
    assert instruction.type in (top.type, bottom.type)
    spec = spec_of(env, env_id)
    actions = np.random.default_rng(seed).choice(7, size=60, p=[0.2, 0.2, 0.3, 0.1, 0.1, 0.05, 0.05])
    for time, action in enumerate(actions):
        expected = {
            "instruction": KINDS.index(instruction.type),
            "top_target": KINDS.index(top.type),
            "correct_turn": int(instruction.type != top.type),
            "x": env.agent_pos[0],
            "y": env.agent_pos[1],
            "direction": env.agent_dir,
            "carrying": 0 if env.carrying is None else 1 + KINDS.index(env.carrying.type),
            "instruction_visible": _is_visible(env, instruction),
            "keys_visible": _count(env, "key"),
            "balls_visible": _count(env, "ball"),
            "time": time,
        }
        assert dict(zip(MEMORY_FACTS, facts_of_states(state_of(env), spec)[0].tolist(), strict=True)) == expected
        if env.step(int(action))[2]:
            break


def test_time_is_the_last_fact() -> None:
    assert MEMORY_FACTS[-1] == "time"
    assert len(set(MEMORY_FACTS)) == len(MEMORY_FACTS)
