"""A MiniGrid environment into the rule that it plays by, or into the reason why the twin cannot step it.

A family is told by the `step` method that an environment really runs, so a class that changes the rules is never taken
for the one that it derives from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec

import gymnasium
import numpy as np
from minigrid.core.roomgrid import RoomGrid
from minigrid.core.world_object import WorldObj
from minigrid.envs.blockedunlockpickup import BlockedUnlockPickupEnv
from minigrid.envs.dynamicobstacles import DynamicObstaclesEnv
from minigrid.envs.fetch import FetchEnv
from minigrid.envs.gotodoor import GoToDoorEnv
from minigrid.envs.gotoobject import GoToObjectEnv
from minigrid.envs.keycorridor import KeyCorridorEnv
from minigrid.envs.memory import MemoryEnv
from minigrid.envs.obstructedmaze import ObstructedMazeEnv
from minigrid.envs.putnear import PutNearEnv
from minigrid.envs.redbluedoors import RedBlueDoorEnv
from minigrid.envs.unlock import UnlockEnv
from minigrid.envs.unlockpickup import UnlockPickupEnv
from minigrid.minigrid_env import MiniGridEnv

from environments.errors import WorldError
from environments.grid.cells import Thing, code_of, thing_of
from environments.grid.rules import (
    DoneBeside,
    Fetch,
    MatchMemory,
    OpenDoor,
    OpenRedThenBlue,
    PickUpTarget,
    PutNear,
    ReachGoal,
    Rule,
)
from environments.memory import MovableMemoryEnv
from environments.registration import TWIN_PREFIX, twin_ids

MINIGRID_VERSION = "3.2.0"
"""The version of MiniGrid whose source the rules were read from, and with which the twin was found equal."""

_Parameters = Callable[..., tuple[int, ...]]

_PickUpEnv = UnlockPickupEnv | BlockedUnlockPickupEnv | KeyCorridorEnv | ObstructedMazeEnv


@dataclass(frozen=True)
class Family:
    """A rule, and how its parameters are read from an environment that was reset."""

    rule: Rule
    parameters: _Parameters


def family_of(env: MiniGridEnv) -> Family:
    """Return the family of an environment. Raises WorldError, with the reason, if the twin does not know its rules."""
    reason = refusal(env)
    if reason:
        raise WorldError(reason)
    return _FAMILIES[type(env).step]


def refusal(env: MiniGridEnv) -> str | None:
    """Return why the twin cannot step this environment, or None if it can."""
    name = env.spec.id if env.spec else type(env).__name__
    if isinstance(env, DynamicObstaclesEnv):
        return f"{name} moves its obstacles at random, so its steps are not decided by the layout; use MiniGridWorlds."
    if type(env).__module__.startswith("minigrid.envs.babyai"):
        return f"{name} is a BabyAI level: a verifier of instructions, which the twin lacks, decides on its success."
    if type(env).step not in _FAMILIES:
        return f"{name} has a step method of its own, which the twin does not know."
    changed = [method for method in _SHARED_METHODS if getattr(type(env), method) is not getattr(MiniGridEnv, method)]
    if changed:
        return f"{name} overrides {', '.join(changed)} of MiniGrid, which the twin takes as MiniGrid has them."
    return None


def make(env_id: str, **options: int) -> MiniGridEnv:
    """Return MiniGrid's environment of this id, without wrappers.

    Raises WorldError for an id that is not MiniGrid's, for one that needs packages which are missing, and for a view
    that MiniGrid does not have.
    """
    known = [known_id for known_id in gymnasium.registry if not known_id.startswith(TWIN_PREFIX)]
    if env_id not in known:
        nearest = get_close_matches(env_id, known, n=1, cutoff=0)[0]
        raise WorldError(
            f"There is no environment {env_id!r}; the nearest id is {nearest!r}, docs/worlds.md has them all."
        )
    _require_view(options.get("agent_view_size", _USUAL_VIEW))
    if env_id.startswith("MiniGrid-WFC-") and not all(map(find_spec, _WFC_PACKAGES)):
        raise WorldError(
            f"{env_id} needs {' and '.join(_WFC_PACKAGES)}; install them with `pip install 'minigrid[wfc]'`."
        )
    env = gymnasium.make(env_id, disable_env_checker=True, **options).unwrapped
    if not isinstance(env, MiniGridEnv):
        raise WorldError(f"{env_id!r} is a {type(env).__name__}, not a MiniGrid environment.")
    return env


def _require_view(size: int) -> None:
    if size < 3 or size % 2 == 0:
        raise WorldError(f"agent_view_size is {size}; the agent sees a square of an odd number of cells, at least 3.")


_USUAL_VIEW = 7
_WFC_PACKAGES = ("imageio", "networkx")
_SHARED_METHODS = ("gen_obs", "gen_obs_grid", "get_view_exts", "_reward", "reset")


def _cell(env: MiniGridEnv, place: tuple[int | np.integer, int | np.integer]) -> int:
    return int(place[0]) * env.height + int(place[1])


def _cell_of(env: MiniGridEnv, wanted: WorldObj) -> int:
    """Return the cell in which this very object lies."""
    index = next(index for index, thing in enumerate(env.grid.grid) if thing is wanted)
    return _cell(env, (index % env.width, index // env.width))


def _memory_cells(env: MemoryEnv) -> tuple[int, int]:
    return _cell(env, env.success_pos), _cell(env, env.failure_pos)


def _fetched_code(env: FetchEnv) -> tuple[int]:
    return (code_of(Thing(env.targetType, env.targetColor)),)


def _mover_and_target(env: PutNearEnv) -> tuple[int, int, int]:
    mover, target = Thing(env.move_type, env.moveColor), Thing(env.target_type, env.target_color)
    return code_of(mover), _cell(env, env.target_pos), code_of(target)


def _red_and_blue(env: RedBlueDoorEnv) -> tuple[int, int]:
    return _cell_of(env, env.red_door), _cell_of(env, env.blue_door)


def _target_door(env: GoToDoorEnv) -> tuple[int, int]:
    return _cell(env, env.target_pos), code_of(Thing("door", env.target_color, "closed"))


def _target_object(env: GoToObjectEnv) -> tuple[int, int]:
    return _cell(env, env.target_pos), code_of(Thing(env.targetType, env.target_color))


def _door_cell(env: UnlockEnv) -> tuple[int]:
    return (_cell_of(env, env.door),)


def _picked_code(env: _PickUpEnv) -> tuple[int]:
    """Return the target's code. MiniGrid compares objects by identity, so nothing else may look like it."""
    code = code_of(thing_of(env.obj))
    n_alike = sum(thing is not None and code_of(thing_of(thing)) == code for thing in env.grid.grid)
    if n_alike > 1:
        raise WorldError(
            f"{n_alike} objects look like the target of {type(env).__name__}; the twin tells objects by looks."
        )
    return (code,)


_PICK_UP = Family(PickUpTarget(), _picked_code)

_FAMILIES: dict[object, Family] = {
    MiniGridEnv.step: Family(ReachGoal(), lambda _: ()),
    RoomGrid.step: Family(ReachGoal(), lambda _: ()),
    MemoryEnv.step: Family(MatchMemory(pickup_toggles=True), _memory_cells),
    MovableMemoryEnv.step: Family(MatchMemory(pickup_toggles=False), _memory_cells),
    GoToDoorEnv.step: Family(DoneBeside(), _target_door),
    GoToObjectEnv.step: Family(DoneBeside(), _target_object),
    FetchEnv.step: Family(Fetch(), _fetched_code),
    PutNearEnv.step: Family(PutNear(), _mover_and_target),
    RedBlueDoorEnv.step: Family(OpenRedThenBlue(), _red_and_blue),
    UnlockEnv.step: Family(OpenDoor(), _door_cell),
    UnlockPickupEnv.step: _PICK_UP,
    BlockedUnlockPickupEnv.step: _PICK_UP,
    KeyCorridorEnv.step: _PICK_UP,
    ObstructedMazeEnv.step: _PICK_UP,
}


TWIN_IDS: tuple[str, ...] = twin_ids()
"""Every registered id that the twin steps."""
