"""A state of the twin becomes the state of MiniGrid's own environment."""

from collections.abc import Sequence

from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX
from minigrid.core.grid import Grid
from minigrid.core.world_object import Box, WorldObj
from minigrid.minigrid_env import MiniGridEnv

from environments.families.done_beside import DoneBeside
from environments.families.fetch import Fetch
from environments.families.pick_up import PickUpTarget
from environments.families.put_near import PutNear
from environments.families.red_blue_doors import OpenRedThenBlue
from environments.families.registry import family_of
from environments.families.unlock import OpenDoor
from environments.grid.cells import THING_OF_CODE, Thing, codes_of, thing_of
from environments.grid.state import State
from environments.grid.world_spec import Rule


def world_object(thing: Thing) -> WorldObj | None:
    """A fresh MiniGrid object."""
    if thing.kind == "empty":
        return None
    made = WorldObj.decode(OBJECT_TO_IDX[thing.kind], COLOR_TO_IDX[thing.colour], STATE_TO_IDX[thing.state])
    assert made is not None
    made.color = thing.colour  # decode makes every goal green
    if isinstance(made, Box) and thing.contents:
        made.contains = world_object(thing.contents)
    return made


WALLS = {code: world_object(thing) for code, thing in THING_OF_CODE.items() if thing.kind == "wall"}
"""Walls are most of a grid and never change, so they are shared."""


def put_state(env: MiniGridEnv, state: State) -> None:
    """Put MiniGrid's environment into a state of one world."""
    codes = codes_of(state.grid[0, :-1]).tolist()
    objects = [WALLS.get(code) or world_object(THING_OF_CODE[code]) for code in codes]  # column by column
    env.grid = Grid(env.width, env.height)
    env.grid.grid = [objects[x * env.height + y] for y in range(env.height) for x in range(env.width)]
    x, y = divmod(int(state.position), env.height)
    env.agent_pos, env.agent_dir = (x, y), int(state.direction)
    env.carrying = world_object(THING_OF_CODE[int(state.hand)])
    env.step_count = int(state.time)
    _point_at_parameters(env, state, objects)


def _point_at_parameters(env: MiniGridEnv, state: State, objects: Sequence[WorldObj | None]) -> None:
    """Make the environment's own names for its targets say what the state's parameters say."""
    first, second, third = state.parameters[0].tolist()
    rule = _rule_of(env)
    places = [divmod(number, env.height) for number in (first, second)]
    if isinstance(rule, OpenRedThenBlue):
        vars(env).update(red_door=objects[first], blue_door=objects[second])
    if isinstance(rule, OpenDoor):
        vars(env).update(door=objects[first])
    if isinstance(rule, PickUpTarget):
        alike = [made for made in (*objects, env.carrying) if made and thing_of(made) == THING_OF_CODE[first]]
        vars(env).update(obj=alike[0] if alike else world_object(THING_OF_CODE[first]))
    for name, value in (("success_pos", places[0]), ("failure_pos", places[1]), ("target_pos", places[0])):
        if hasattr(env, name):
            setattr(env, name, value)
    _name_targets(env, first, second, third)


def _name_targets(env: MiniGridEnv, first: int, second: int, third: int) -> None:
    """Say in the environment's own words what the codes among the parameters stand for."""
    rule = _rule_of(env)
    if isinstance(rule, DoneBeside):
        landmark = THING_OF_CODE[second]
        vars(env).update(targetType=landmark.kind, target_color=landmark.colour)
    if isinstance(rule, PutNear):
        mover, target = THING_OF_CODE[first], THING_OF_CODE[third]
        vars(env).update(move_type=mover.kind, moveColor=mover.colour, target_pos=divmod(second, env.height))
        vars(env).update(target_type=target.kind, target_color=target.colour)
    if isinstance(rule, Fetch):
        vars(env).update(targetType=THING_OF_CODE[first].kind, targetColor=THING_OF_CODE[first].colour)


RULES: dict[type, Rule] = {}


def _rule_of(env: MiniGridEnv) -> Rule:
    """The rule of an environment, found once for each class."""
    if type(env) not in RULES:
        RULES[type(env)] = family_of(env).rule
    return RULES[type(env)]
