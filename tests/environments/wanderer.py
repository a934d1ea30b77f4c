"""What the twin is tried on: someone who goes to things and meddles with them, and the facts as MiniGrid's own objects
have them.
"""

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import cast

import numpy as np
import pytest
from jaxtyping import Int16
from minigrid.core.actions import Actions
from minigrid.core.constants import COLOR_TO_IDX, DIR_TO_VEC, OBJECT_TO_IDX
from minigrid.core.world_object import Ball, Door, Key, WorldObj
from minigrid.envs.memory import MemoryEnv
from minigrid.minigrid_env import MiniGridEnv

from environments.families.memory import MEMORY_FACTS
from environments.grid.facts import CARRIED

Place = tuple[int, int]

APTITUDE = {
    "key": (0.05, 0.05, 0.1, 0.6, 0.05, 0.1, 0.05),
    "ball": (0.05, 0.05, 0.1, 0.6, 0.05, 0.1, 0.05),
    "box": (0.05, 0.05, 0.1, 0.55, 0.05, 0.15, 0.05),
    "door": (0.05, 0.05, 0.25, 0.05, 0.05, 0.5, 0.05),
    "goal": (0.05, 0.05, 0.75, 0.05, 0.05, 0, 0.05),
    "lava": (0.2, 0.2, 0.3, 0.1, 0.1, 0.1, 0),
    "wall": (0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1),
    "empty": (0.1, 0.1, 0.1, 0.1, 0.5, 0.1, 0),
}
"""How often each action is taken in front of a thing that was come for."""

STRAYS = 0.12
"""How often any action is taken on the way."""


class Wanderer:
    """Goes to one thing after another and tries on it whatever could have an effect, or should have none."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._plan: list[int] = []
        self._is_there = False

    def choose(self, env: MiniGridEnv) -> int:
        """Choose an action with an eye on the cell in front."""
        if self._rng.random() < STRAYS:
            self._plan, self._is_there = [], False
            return int(self._rng.integers(len(Actions)))
        if not self._plan and not self._is_there:
            self._plan = self._errand(env)
            self._is_there = True
        if self._plan:
            return self._plan.pop(0)
        self._is_there = self._rng.random() < 0.3  # try the same thing once more
        front = env.grid.get(*map(int, env.front_pos))
        return int(self._rng.choice(len(Actions), p=APTITUDE[front.type if front else "empty"]))

    def forget(self) -> None:
        """Begin another episode."""
        self._plan, self._is_there = [], False

    def _errand(self, env: MiniGridEnv) -> list[int]:
        """The turns and steps to somewhere from which a thing, or a free cell to put something down, is in front."""
        ways = ways_from(env)
        things = [place for place in ways if env.grid.get(*place) is not None]
        free = [place for place in ways if env.grid.get(*place) is None]
        puts_down = env.carrying is not None and self._rng.random() < 0.4
        wanted = free if puts_down else things or free
        if not wanted:
            return []
        keen = np.array([_appeal(env.grid.get(*place), env.carrying) for place in wanted])
        place = wanted[int(self._rng.choice(len(wanted), p=keen / keen.sum()))]
        return _actions_along(ways[place], env)


def _appeal(thing: WorldObj | None, carrying: WorldObj | None) -> float:
    """How much someone who carries this wants to go there: first of all to what moves a task forward."""
    kind = thing.type if thing else "empty"
    if isinstance(thing, Door):
        fits = carrying is not None and (carrying.type, carrying.color) == ("key", thing.color)
        return 0.1 if thing.is_open else 30.0 if thing.is_locked and fits else 0.3 if thing.is_locked else 3.0
    return {"goal": 8.0, "lava": 0.3, "wall": 0.02, "empty": 0.3, "key": 3.0}.get(kind, 2.0)


def ways_from(env: MiniGridEnv) -> dict[Place, list[Place]]:
    """The shortest way, cell by cell, to each cell that can be walked to or faced without opening anything."""
    start = int(env.agent_pos[0]), int(env.agent_pos[1])
    ways: dict[Place, list[Place]] = {start: [start]}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for step_x, step_y in DIR_TO_VEC:
            there = here[0] + int(step_x), here[1] + int(step_y)
            if there in ways or not (0 <= there[0] < env.width and 0 <= there[1] < env.height):
                continue
            ways[there] = [*ways[here], there]
            thing = env.grid.get(*there)
            if thing is None or (thing.can_overlap() and thing.type not in {"lava", "goal"}):
                waiting.append(there)
    del ways[start]
    return ways


def _actions_along(way: list[Place], env: MiniGridEnv) -> list[int]:
    """Turns and steps that lead along a way and leave its last cell in front."""
    actions, facing = [], int(env.agent_dir)
    for (x, y), (next_x, next_y) in pairwise(way):
        wanted = next(
            direction for direction, vector in enumerate(DIR_TO_VEC) if tuple(vector) == (next_x - x, next_y - y)
        )
        turns = (wanted - facing) % 4
        actions += [Actions.left] if turns == 3 else [Actions.right] * turns
        actions.append(Actions.forward)
        facing = wanted
    return [int(action) for action in actions[:-1]]


# ---------------------------------------------------------------------------------------------- facts, object by object


def read_facts(env: MiniGridEnv) -> dict[str, int]:
    """The facts of an environment's present state, from its own objects and its own names for them."""
    if isinstance(env, MemoryEnv):
        facts = dict(zip(MEMORY_FACTS, facts_of(env).tolist(), strict=True))
        return {**facts, "time": env.step_count}
    view, is_seen = env.gen_obs_grid()
    size = env.agent_view_size
    seen = [thing for x in range(size) for y in range(size) if is_seen[x, y] and (thing := view.get(x, y))]
    return {
        "x": int(env.agent_pos[0]),
        "y": int(env.agent_pos[1]),
        "direction": int(env.agent_dir),
        "carrying": ("nothing", "key", "ball", "box").index(env.carrying.type if env.carrying else "nothing"),
        "carrying_colour": 1 + COLOR_TO_IDX[env.carrying.color] if env.carrying else 0,
        **_target_facts(env, seen, is_seen),
        **{f"{kind}_visible": sum(thing.type == kind for thing in seen) for kind in OWN_COUNTS},
        **_own_facts(env),
        "time": env.step_count,
    }


OWN_COUNTS = ("door", "key", "ball", "box", "goal", "lava")


def _target_facts(env: MiniGridEnv, seen: list[WorldObj], is_seen: np.ndarray) -> dict[str, int]:
    """Looks, place and visibility of what the mission is about."""
    kind, colour = target_of(env)
    fixed = _fixed_place(env)
    if fixed:
        in_view = env.relative_coords(*fixed)
        is_visible = in_view is not None and bool(is_seen[in_view])
    else:
        is_visible = any((thing.type, thing.color) == (kind, colour) for thing in seen)
    lies_at = fixed or next(
        (
            (x, y)
            for x in range(env.width)
            for y in range(env.height)
            if (thing := env.grid.grid[y * env.width + x]) and (thing.type, thing.color) == (kind, colour)
        ),
        (-1, -1),
    )
    return {
        "target": OBJECT_TO_IDX[kind],
        "target_colour": COLOR_TO_IDX[colour],
        "target_x": lies_at[0],
        "target_y": lies_at[1],
        "target_visible": int(is_visible),
    }


def target_of(env: MiniGridEnv) -> tuple[str, str]:
    """Kind and colour of the target, in each environment's own words."""
    own = vars(env)
    match type(env).__name__:
        case "FetchEnv":
            return own["targetType"], own["targetColor"]
        case "GoToObjectEnv":
            return own["targetType"], own["target_color"]
        case "PutNearEnv":
            return own["target_type"], own["target_color"]
        case "GoToDoorEnv":
            return "door", own["target_color"]
        case "RedBlueDoorEnv":
            return "door", own["blue_door"].color
        case "UnlockEnv":
            return "door", own["door"].color
    wanted = cast(WorldObj | None, own.get("obj"))
    return (wanted.type, wanted.color) if wanted else ("goal", "green")


def _fixed_place(env: MiniGridEnv) -> Place | None:
    """Where the target is, in worlds in which a cell and not a thing is the target."""
    own = vars(env)
    if "target_pos" in own:
        return int(own["target_pos"][0]), int(own["target_pos"][1])
    door = own.get("blue_door") or (own["door"] if type(env).__name__ == "UnlockEnv" else None)
    index = next((index for index, thing in enumerate(env.grid.grid) if door and thing is door), None)
    return (index % env.width, index // env.width) if index is not None else None


def _own_facts(env: MiniGridEnv) -> dict[str, int]:
    own = vars(env)
    match type(env).__name__:
        case "PutNearEnv":
            return {"mover": OBJECT_TO_IDX[own["move_type"]], "mover_colour": COLOR_TO_IDX[own["moveColor"]]}
        case "RedBlueDoorEnv":
            return {"red_is_open": int(own["red_door"].is_open)}
        case "UnlockEnv":
            return {"door_is_locked": int(own["door"].is_locked)}
    return {}


def facts_of(env: MemoryEnv) -> Int16[np.ndarray, " fact"]:
    """The facts of a memory environment as its own objects have them, in the order of MEMORY_FACTS, with time 0."""
    column, corridor = env.success_pos[0], env.height // 2
    top, bottom = env.grid.get(column, corridor - 2), env.grid.get(column, corridor + 2)
    assert top is not None
    assert bottom is not None
    is_top_correct = env.success_pos[1] < corridor
    view, _ = env.gen_obs_grid()  # it holds the grid's own objects
    visible = [cell for cell in view.grid if isinstance(cell, Key | Ball)]
    facts = {
        "instruction": ("key", "ball").index((top if is_top_correct else bottom).type),
        "top_target": ("key", "ball").index(top.type),
        "correct_turn": 0 if is_top_correct else 1,
        "x": env.agent_pos[0],
        "y": env.agent_pos[1],
        "direction": env.agent_dir,
        "carrying": 0 if env.carrying is None else CARRIED.index(env.carrying.type),
        "instruction_visible": any(seen is not top and seen is not bottom for seen in visible),
        "keys_visible": sum(isinstance(seen, Key) for seen in visible),
        "balls_visible": sum(isinstance(seen, Ball) for seen in visible),
        "time": 0,
    }
    return np.array([facts[name] for name in MEMORY_FACTS], dtype=np.int16)


@pytest.fixture
def wanderer() -> type[Wanderer]:
    return Wanderer


@pytest.fixture
def facts_in_minigrid() -> Callable[[MiniGridEnv], dict[str, int]]:
    return read_facts
