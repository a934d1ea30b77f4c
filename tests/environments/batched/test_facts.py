"""Facts of the twin: the memory family's own, and the others read off MiniGrid's objects one by one."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX
from minigrid.envs.memory import MemoryEnv
from minigrid.minigrid_env import MiniGridEnv

from environments.batched.cells import codes_of
from environments.batched.dynamics import step
from environments.batched.facts import FACT_VALUES, fact_names, facts_of_states, target_is_visible
from environments.batched.families import make
from environments.batched.layouts import draw_layouts, setting_of, state_of
from environments.batched.setting import Setting
from environments.batched.sight import look
from environments.batched.state import State
from environments.facts import FACTS, facts_of

ACTIONS = (2, 1, 2, 3, 2, 0, 5, 2, 3, 1, 2, 4, 2, 0, 2, 5, 2, 1, 2, 2)


@pytest.mark.parametrize("env_id", ["MiniGrid-MemoryS7FixedStart-v0", "MiniGrid-MemoryS13Random-v0"])
def test_memory_worlds_have_the_facts_of_minigrids_environment(env_id: str) -> None:
    env = cast(MemoryEnv, make(env_id))
    setting = setting_of(env, env_id)
    for seed in range(6):
        env.reset(seed=seed)
        for action in (*ACTIONS, *ACTIONS):
            facts = facts_of_states(state_of(env), setting)[0]
            assert facts[:-1].tolist() == facts_of(env)[:-1].tolist()
            assert facts[-1] == env.step_count
            if env.step(action)[2]:
                break
    assert fact_names(setting) == FACTS


def _target(env: MiniGridEnv) -> tuple[str, str]:
    """Kind and colour of the target, in each environment's own words."""
    own = vars(env)
    if "targetColor" in own:
        return own["targetType"], own["targetColor"]
    if "obj" in own:
        return own["obj"].type, own["obj"].color
    return "goal", "green"


@pytest.mark.parametrize(
    "env_id",
    ["MiniGrid-Fetch-8x8-N3-v0", "MiniGrid-UnlockPickup-v0", "MiniGrid-KeyCorridorS3R2-v0", "MiniGrid-DoorKey-6x6-v0"],
)
def test_facts_are_what_a_slow_look_at_minigrids_objects_finds(env_id: str) -> None:
    env = make(env_id)
    setting = setting_of(env, env_id)
    for seed in range(4):
        env.reset(seed=seed)
        kind, colour = _target(env)
        for action in ACTIONS:
            facts = dict(zip(fact_names(setting), facts_of_states(state_of(env), setting)[0].tolist(), strict=True))
            view, is_seen = env.gen_obs_grid()
            cells = [view.get(x, y) for x in range(7) for y in range(7) if is_seen[x, y]]
            seen = [thing for thing in cells if thing]
            assert (facts["x"], facts["y"]) == tuple(env.agent_pos)
            assert facts["direction"] == env.agent_dir
            assert facts["carrying"] == OBJECT_TO_IDX[env.carrying.type if env.carrying else "empty"]
            assert (facts["target"], facts["target_colour"]) == (OBJECT_TO_IDX[kind], COLOR_TO_IDX[colour])
            assert facts["target_visible"] == any((thing.type, thing.color) == (kind, colour) for thing in seen)
            for name in ("door", "key", "ball", "box", "goal", "lava"):
                assert facts[f"{name}_visible"] == sum(thing.type == name for thing in seen)
            lies_at = [
                (x, y)
                for x in range(env.width)
                for y in range(env.height)
                if (thing := env.grid.get(x, y)) and (thing.type, thing.color) == (kind, colour)
            ]
            assert (facts["target_x"], facts["target_y"]) == (lies_at[0] if lies_at else (-1, -1))
            if env.step(action)[2]:
                break


@pytest.mark.parametrize(
    ("env_id", "own"),
    [
        ("MiniGrid-PutNear-6x6-N2-v0", {"mover", "mover_colour"}),
        ("MiniGrid-RedBlueDoors-6x6-v0", {"red_is_open"}),
        ("MiniGrid-Unlock-v0", {"door_is_locked"}),
        ("MiniGrid-Empty-5x5-v0", set()),
    ],
)
def test_a_family_adds_facts_of_its_own(env_id: str, own: set[str]) -> None:
    names = fact_names(draw_layouts(env_id, [0]).setting)
    assert own == set(names) & {"mover", "mover_colour", "red_is_open", "door_is_locked"}
    assert names[-1] == "time"


def test_a_door_that_is_unlocked_is_locked_no_more() -> None:
    layouts = draw_layouts("MiniGrid-Unlock-v0", range(5))
    locked = fact_names(layouts.setting).index("door_is_locked")
    assert facts_of_states(layouts.start, layouts.setting)[:, locked].all()


def test_a_put_near_world_names_mover_and_target_as_its_mission_does() -> None:
    env = make("MiniGrid-PutNear-8x8-N3-v0")
    setting = setting_of(env, "")
    values = {name: np.array(FACT_VALUES[name]) for name in ("mover", "mover_colour", "target", "target_colour")}
    for seed in range(5):
        env.reset(seed=seed)
        facts = dict(zip(fact_names(setting), facts_of_states(state_of(env), setting)[0].tolist(), strict=True))
        words = {name: values[name][facts[name]] for name in values}
        assert env.mission == "put the {mover_colour} {mover} near the {target_colour} {target}".format(**words)


@pytest.mark.parametrize("env_id", ["MiniGrid-GoToDoor-6x6-v0", "MiniGrid-MemoryS9-v0", "MiniGrid-RedBlueDoors-6x6-v0"])
def test_the_target_is_visible_exactly_when_its_fact_says_so(env_id: str) -> None:
    layouts = draw_layouts(env_id, range(20))
    name = "instruction_visible" if "Memory" in env_id else "target_visible"
    column = fact_names(layouts.setting).index(name)
    state = layouts.start.clone()
    for action in (0, 2, 0, 2):
        state, _ = step(state, torch.full((20,), action), layouts.setting)
        seen = target_is_visible(look(state, layouts.setting), state, layouts.setting)
        assert torch.equal(seen.to(torch.int16), facts_of_states(state, layouts.setting)[:, column])


def test_a_target_that_was_carried_off_is_still_the_target() -> None:
    """MiniGrid pays for `done` beside the cell that it was taken from, and goes on naming the thing in its mission."""
    env = make("MiniGrid-GoToObject-8x8-N2-v0")
    setting, n_taken = setting_of(env, ""), 0
    for seed in range(40):
        env.reset(seed=seed)
        state = state_of(env)
        before = dict(zip(fact_names(setting), facts_of_states(state, setting)[0].tolist(), strict=True))
        words = (FACT_VALUES["target_colour"][before["target_colour"]], FACT_VALUES["target"][before["target"]])
        assert env.mission == "go to the {} {}".format(*words)
        _beside(state, setting)
        state, _ = step(state, torch.tensor([3]), setting)
        after = dict(zip(fact_names(setting), facts_of_states(state, setting)[0].tolist(), strict=True))
        n_taken += after["carrying"] == before["target"]
        for name in ("target", "target_colour", "target_x", "target_y"):
            assert after[name] == before[name]
    assert n_taken > 20


def _beside(state: State, setting: Setting) -> None:
    """Put the agent before the target, with its face to it, if there is room to the west of it."""
    target = int(state.parameters[0, 0])
    if int(codes_of(state.grid[0, target - setting.height])) == 0:
        state.position[0], state.direction[0] = target - setting.height, 0


def test_a_target_box_that_was_opened_is_still_the_target() -> None:
    layouts = draw_layouts("MiniGrid-PutNear-8x8-N3-v0", range(60))
    names = fact_names(layouts.setting)
    columns = [names.index(name) for name in ("target", "target_colour", "target_x", "target_y")]
    before = facts_of_states(layouts.start, layouts.setting)[:, columns]
    assert (before[:, 0] == OBJECT_TO_IDX["box"]).any()
    state = layouts.start.clone()
    state = replace(state, position=state.parameters[:, 1] - 8, direction=torch.zeros_like(state.direction))
    state, verdict = step(state, torch.full((60,), 5), layouts.setting)
    assert not verdict.ended.any()
    assert (codes_of(state.grid.gather(1, state.parameters[:, 1:2])) == 0).any()
    assert torch.equal(facts_of_states(state, layouts.setting)[:, columns], before)
