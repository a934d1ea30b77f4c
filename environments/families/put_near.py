"""Worlds of tidying up: put one object near another."""

from dataclasses import dataclass
from typing import ClassVar

from minigrid.core.actions import Actions
from minigrid.envs.putnear import PutNearEnv
from torch import Tensor

from environments.families.registry import cell_of_place, register
from environments.grid.cells import Thing, code_of
from environments.grid.facts import (
    OBJECT_COLOURS,
    OBJECTS,
    SHARED_FACTS,
    SeenCells,
    Target,
    cell_value,
    colour_of,
    kind_of,
    target_at,
)
from environments.grid.state import State
from environments.grid.transition import Ending, Transition, look_alike
from environments.grid.world_spec import Parameter, Rule


@dataclass(frozen=True)
class PutNear(Rule):
    """Dropping the right object near the target pays; a wrong object, or a drop elsewhere, ends the episode.

    Parameters: the code of the object to move, the cell near which it belongs, the code of the target there.
    """

    parameters = (Parameter.THING, Parameter.CELL, Parameter.THING)
    mission = (2, 0)
    fact_names = (*SHARED_FACTS, "mover", "mover_colour")
    fact_values: ClassVar[dict[str, tuple[str, ...]]] = {"mover": OBJECTS, "mover_colour": OBJECT_COLOURS}

    def ending(self, transition: Transition) -> Ending:
        """Pay for a drop into one of the eight cells around the target."""
        mover, target, _ = transition.parameters.unbind(1)
        picked_up = (transition.action == Actions.pickup) & (transition.hand != 0)
        dropped = (transition.action == Actions.drop) & (transition.hand_before != 0)
        distance_x, distance_y = transition.distances(transition.front, target)
        is_near = (distance_x <= 1) & (distance_y <= 1)
        took_wrong = picked_up & ~look_alike(transition.hand, mover)
        return Ending(took_wrong | dropped, dropped & (transition.hand == 0) & is_near)

    def target(self, state: State, seen: SeenCells) -> Target:
        """Return the cell near which the object belongs."""
        _, cell, code = state.parameters.unbind(1)
        return target_at(cell, cell_value(code), seen)

    def facts(self, state: State, seen: SeenCells) -> dict[str, Tensor]:
        """Return the shared facts, and which object is to be moved."""
        mover = cell_value(state.parameters[:, 0])
        return {**super().facts(state, seen), "mover": kind_of(mover), "mover_colour": colour_of(mover)}


def _mover_and_target(env: PutNearEnv) -> tuple[int, int, int]:
    mover, target = Thing(env.move_type, env.moveColor), Thing(env.target_type, env.target_color)
    return code_of(mover), cell_of_place(env, env.target_pos), code_of(target)


register(PutNear(), _mover_and_target, PutNearEnv)
