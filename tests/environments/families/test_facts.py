"""Facts of the twin: the memory family's own, and the others read off MiniGrid's objects one by one."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX
from minigrid.envs.fetch import FetchEnv
from minigrid.envs.gotodoor import GoToDoorEnv
from minigrid.envs.gotoobject import GoToObjectEnv
from minigrid.envs.memory import MemoryEnv
from minigrid.envs.putnear import PutNearEnv
from minigrid.envs.redbluedoors import RedBlueDoorEnv
from minigrid.envs.unlock import UnlockEnv
from minigrid.minigrid_env import MiniGridEnv

from environments.families.facts import fact_names, facts_of_states, target_is_visible
from environments.families.memory import MEMORY_FACTS
from environments.families.registry import FACT_VALUES, family_of
from environments.grid.cells import codes_of
from environments.grid.observation import look
from environments.grid.state import State
from environments.grid.world_spec import WorldSpec
from environments.registration import make, twin_ids
from environments.twin.dynamics import step
from environments.twin.layouts import draw_layouts, spec_of, state_of
from tests.environments.wanderer import facts_of

ACTIONS = (2, 1, 2, 3, 2, 0, 5, 2, 3, 1, 2, 4, 2, 0, 2, 5, 2, 1, 2, 2)


@pytest.mark.parametrize("env_id", ["MiniGrid-MemoryS7FixedStart-v0", "MiniGrid-MemoryS13Random-v0"])
def test_memory_worlds_have_the_facts_of_minigrids_environment(env_id: str) -> None:
    env = cast(MemoryEnv, make(env_id))
    spec = spec_of(env, env_id)
    for seed in range(6):
        env.reset(seed=seed)
        for action in (*ACTIONS, *ACTIONS):
            facts = facts_of_states(state_of(env), spec)[0]
            assert facts[:-1].tolist() == facts_of(env)[:-1].tolist()
            assert facts[-1] == env.step_count
            if env.step(action)[2]:
                break
    assert fact_names(spec) == MEMORY_FACTS


def _target(env: MiniGridEnv) -> tuple[str, str]:
    """Kind and colour of the target, in each environment's own words."""
    own = vars(env)
    match env:
        case PutNearEnv():
            return own["target_type"], own["target_color"]
        case GoToDoorEnv():
            return "door", own["target_color"]
        case GoToObjectEnv():
            return own["targetType"], own["target_color"]
        case FetchEnv():
            return own["targetType"], own["targetColor"]
        case RedBlueDoorEnv():
            return "door", "blue"
        case UnlockEnv():
            return "door", own["door"].color
    return (own["obj"].type, own["obj"].color) if "obj" in own else ("goal", "green")


def _words(env: MiniGridEnv) -> dict[str, str]:
    """Every fact that is told in words, in those of MiniGrid's own objects."""
    own, held = vars(env), env.carrying
    words = {"direction": {(1, 0): "east", (0, 1): "south", (-1, 0): "west", (0, -1): "north"}[tuple(env.dir_vec)]}
    words["carrying"] = held.type if held else "nothing"
    if isinstance(env, MemoryEnv):
        top = env.grid.get(env.success_pos[0], env.height // 2 - 2)
        is_top = env.success_pos[1] < env.height // 2
        kinds = {"key": "ball", "ball": "key"}
        assert top is not None
        return words | {
            "instruction": top.type if is_top else kinds[top.type],
            "top_target": top.type,
            "correct_turn": "left" if is_top else "right",
        }
    words["carrying_colour"] = held.color if held else "none"
    words["target"], words["target_colour"] = _target(env)
    match env:
        case PutNearEnv():
            words |= {"mover": own["move_type"], "mover_colour": own["moveColor"]}
        case RedBlueDoorEnv():
            words["red_is_open"] = "yes" if own["red_door"].is_open else "no"
        case UnlockEnv():
            words["door_is_locked"] = "yes" if own["door"].is_locked else "no"
    return words


ONE_OF_EACH_FAMILY = (
    "MiniGrid-MemoryS7-v0",
    "MiniGrid-MemoryS7RandomDirection-v0",
    "MiniGrid-GoToDoor-6x6-v0",
    "MiniGrid-GoToObject-6x6-N2-v0",
    "MiniGrid-Fetch-6x6-N2-v0",
    "MiniGrid-PutNear-6x6-N2-v0",
    "MiniGrid-RedBlueDoors-6x6-v0",
    "MiniGrid-Unlock-v0",
    "MiniGrid-UnlockPickup-v0",
    "MiniGrid-BlockedUnlockPickup-v0",
    "MiniGrid-KeyCorridorS3R1-v0",
    "MiniGrid-ObstructedMaze-1Dlhb-v0",
    "MiniGrid-DoorKey-5x5-v0",
    "MiniGrid-LockedRoom-v0",
    "MiniGrid-Playground-v0",
)


@pytest.mark.filterwarnings("ignore:.*is out of date:DeprecationWarning")
def test_every_rule_is_among_the_worlds_of_the_next_test() -> None:
    """MiniGrid's own step is two entries, and those that pick up a box or a ball share one rule."""
    families = {id(family_of(make(env_id))) for env_id in ONE_OF_EACH_FAMILY}
    assert families >= {id(family_of(make(env_id))) for env_id in twin_ids() if "WFC" not in env_id}


@pytest.mark.parametrize("env_id", ONE_OF_EACH_FAMILY)
def test_every_fact_that_has_words_says_what_minigrids_own_objects_say(env_id: str) -> None:
    env = make(env_id)
    spec = spec_of(env, env_id)
    rng, held = np.random.default_rng(0), set()
    for seed in range(6):
        env.reset(seed=seed)
        for action in rng.choice(7, size=80, p=[0.15, 0.15, 0.3, 0.2, 0.05, 0.15, 0.0]):
            numbers = dict(zip(fact_names(spec), facts_of_states(state_of(env), spec)[0].tolist(), strict=True))
            told = {name: FACT_VALUES[name][value] for name, value in numbers.items() if name in FACT_VALUES}
            assert min(numbers[name] for name in told) >= 0
            expected = _words(env)
            assert {name: told[name] for name in expected} == expected
            assert set(told) - set(expected) <= {"instruction_visible", "target_visible"}
            held.add(told["carrying"])
            if env.step(int(action))[2]:
                break
    assert "nothing" in held


@pytest.mark.parametrize(
    "env_id",
    ["MiniGrid-Fetch-8x8-N3-v0", "MiniGrid-UnlockPickup-v0", "MiniGrid-KeyCorridorS3R2-v0", "MiniGrid-DoorKey-6x6-v0"],
)
def test_facts_are_what_a_slow_look_at_minigrids_objects_finds(env_id: str) -> None:
    env = make(env_id)
    spec = spec_of(env, env_id)
    for seed in range(4):
        env.reset(seed=seed)
        kind, colour = _target(env)
        for action in ACTIONS:
            facts = dict(zip(fact_names(spec), facts_of_states(state_of(env), spec)[0].tolist(), strict=True))
            view, is_seen = env.gen_obs_grid()
            cells = [view.get(x, y) for x in range(7) for y in range(7) if is_seen[x, y]]
            seen = [thing for thing in cells if thing]
            assert (facts["x"], facts["y"]) == tuple(env.agent_pos)
            assert facts["direction"] == env.agent_dir
            assert FACT_VALUES["carrying"][facts["carrying"]] == (env.carrying.type if env.carrying else "nothing")
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
    names = fact_names(draw_layouts(env_id, [0]).spec)
    assert own == set(names) & {"mover", "mover_colour", "red_is_open", "door_is_locked"}
    assert names[-1] == "time"


def test_a_door_that_is_unlocked_is_locked_no_more() -> None:
    layouts = draw_layouts("MiniGrid-Unlock-v0", range(5))
    locked = fact_names(layouts.spec).index("door_is_locked")
    assert facts_of_states(layouts.start, layouts.spec)[:, locked].all()


def test_a_put_near_world_names_mover_and_target_as_its_mission_does() -> None:
    env = make("MiniGrid-PutNear-8x8-N3-v0")
    spec = spec_of(env, "")
    values = {name: np.array(FACT_VALUES[name]) for name in ("mover", "mover_colour", "target", "target_colour")}
    for seed in range(5):
        env.reset(seed=seed)
        facts = dict(zip(fact_names(spec), facts_of_states(state_of(env), spec)[0].tolist(), strict=True))
        words = {name: values[name][facts[name]] for name in values}
        assert env.mission == "put the {mover_colour} {mover} near the {target_colour} {target}".format(**words)


@pytest.mark.parametrize("env_id", ["MiniGrid-GoToDoor-6x6-v0", "MiniGrid-MemoryS9-v0", "MiniGrid-RedBlueDoors-6x6-v0"])
def test_the_target_is_visible_exactly_when_its_fact_says_so(env_id: str) -> None:
    layouts = draw_layouts(env_id, range(20))
    name = "instruction_visible" if "Memory" in env_id else "target_visible"
    column = fact_names(layouts.spec).index(name)
    state = layouts.start.clone()
    for action in (0, 2, 0, 2):
        state, _ = step(state, torch.full((20,), action), layouts.spec)
        seen = target_is_visible(look(state, layouts.spec), state, layouts.spec)
        assert torch.equal(seen.to(torch.int16), facts_of_states(state, layouts.spec)[:, column])


def test_a_target_that_was_carried_off_is_still_the_target() -> None:
    """MiniGrid pays for `done` beside the cell that it was taken from, and goes on naming the thing in its mission."""
    env = make("MiniGrid-GoToObject-8x8-N2-v0")
    spec, n_taken = spec_of(env, ""), 0
    for seed in range(40):
        env.reset(seed=seed)
        state = state_of(env)
        before = dict(zip(fact_names(spec), facts_of_states(state, spec)[0].tolist(), strict=True))
        words = (FACT_VALUES["target_colour"][before["target_colour"]], FACT_VALUES["target"][before["target"]])
        assert env.mission == "go to the {} {}".format(*words)
        _beside(state, spec)
        state, _ = step(state, torch.tensor([3]), spec)
        after = dict(zip(fact_names(spec), facts_of_states(state, spec)[0].tolist(), strict=True))
        n_taken += FACT_VALUES["carrying"][after["carrying"]] == FACT_VALUES["target"][before["target"]]
        for name in ("target", "target_colour", "target_x", "target_y"):
            assert after[name] == before[name]
    assert n_taken > 20


def _beside(state: State, spec: WorldSpec) -> None:
    """Put the agent before the target, with its face to it, if there is room to the west of it."""
    target = int(state.parameters[0, 0])
    if int(codes_of(state.grid[0, target - spec.height])) == 0:
        state.position[0], state.direction[0] = target - spec.height, 0


def test_a_target_box_that_was_opened_is_still_the_target() -> None:
    layouts = draw_layouts("MiniGrid-PutNear-8x8-N3-v0", range(60))
    names = fact_names(layouts.spec)
    columns = [names.index(name) for name in ("target", "target_colour", "target_x", "target_y")]
    before = facts_of_states(layouts.start, layouts.spec)[:, columns]
    assert (before[:, 0] == OBJECT_TO_IDX["box"]).any()
    state = layouts.start.clone()
    state = replace(state, position=state.parameters[:, 1] - 8, direction=torch.zeros_like(state.direction))
    state, result = step(state, torch.full((60,), 5), layouts.spec)
    assert not result.ended.any()
    assert (codes_of(state.grid.gather(1, state.parameters[:, 1:2])) == 0).any()
    assert torch.equal(facts_of_states(state, layouts.spec)[:, columns], before)
