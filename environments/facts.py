"""The state of a memory environment into facts, and what the numbers of every world's facts mean."""

import numpy as np
from jaxtyping import Int16
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX
from minigrid.core.world_object import Ball, Key, WorldObj
from minigrid.envs.memory import MemoryEnv

FACTS: tuple[str, ...] = (
    "instruction",
    "top_target",
    "correct_turn",
    "x",
    "y",
    "direction",
    "carrying",
    "instruction_visible",
    "keys_visible",
    "balls_visible",
    "time",
)
"""Names of the columns; `time`, the number of steps taken in the episode, comes last and is filled in by the worlds."""

CARRIED: tuple[str, ...] = ("nothing", "key", "ball", "box")
"""What an agent can hold, by the number that the fact `carrying` has in every world."""
CARRIED_COLOURS: tuple[str, ...] = ("none", *COLOR_TO_IDX)
"""The colour of what it holds, by the number of the fact `carrying_colour`."""

_NO_YES = ("no", "yes")

FACT_VALUES: dict[str, tuple[str, ...]] = {
    "instruction": ("key", "ball"),
    "top_target": ("key", "ball"),
    "correct_turn": ("left", "right"),
    "direction": ("east", "south", "west", "north"),
    "carrying": CARRIED,
    "carrying_colour": CARRIED_COLOURS,
    **dict.fromkeys(("target", "mover"), tuple(OBJECT_TO_IDX)),
    **dict.fromkeys(("target_colour", "mover_colour"), tuple(COLOR_TO_IDX)),
    **dict.fromkeys(("instruction_visible", "target_visible", "red_is_open", "door_is_locked"), _NO_YES),
}
"""What the numbers of a categorical fact mean, the same in every world, so that joined demonstrations agree; facts that
are absent here are counts or coordinates."""

_OBJECT_KINDS = FACT_VALUES["instruction"]


def facts_of(env: MemoryEnv) -> Int16[np.ndarray, " fact"]:
    """Return the facts of the environment's present state, in the order of FACTS, with time 0.

    Coordinates are grid cells, y growing southwards. An object that is carried counts as visible, since the frame shows
    it. The correct turn is the one at the end of the corridor, facing east. Raises ValueError if a target is missing.
    """
    top, bottom = _targets(env)
    is_top_correct = env.success_pos[1] < env.height // 2
    instruction = top if is_top_correct else bottom
    visible = _visible_objects(env)
    facts = {
        "instruction": _OBJECT_KINDS.index(instruction.type),
        "top_target": _OBJECT_KINDS.index(top.type),
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
    return np.array([facts[name] for name in FACTS], dtype=np.int16)


def _targets(env: MemoryEnv) -> tuple[WorldObj, WorldObj]:
    """Return the objects at the top and at the bottom of the fork, which nobody can move."""
    column, corridor = env.success_pos[0], env.height // 2
    top, bottom = env.grid.get(column, corridor - 2), env.grid.get(column, corridor + 2)
    if top is None or bottom is None:
        raise ValueError(
            f"The fork at x={column} lacks a target object; reset the environment before reading its facts."
        )
    return top, bottom


def _visible_objects(env: MemoryEnv) -> list[WorldObj]:
    """Return the keys and balls in view, the carried one included; the view holds the grid's own objects."""
    view, _ = env.gen_obs_grid()
    return [cell for cell in view.grid if isinstance(cell, Key | Ball)]
