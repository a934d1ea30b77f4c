"""Worlds of going to something: say `done` beside the door, or the object, that the mission names."""

from dataclasses import dataclass

from minigrid.core.actions import Actions
from minigrid.envs.gotodoor import GoToDoorEnv
from minigrid.envs.gotoobject import GoToObjectEnv

from environments.families.registry import cell_of_place, register
from environments.grid.cells import Thing, code_of
from environments.grid.facts import SeenCells, Target, cell_value, target_at
from environments.grid.state import State
from environments.grid.transition import Ending, Transition
from environments.grid.world_spec import Parameter, Rule


@dataclass(frozen=True)
class DoneBeside(Rule):
    """`done` ends the episode and pays beside the target, `toggle` ends it.

    Parameters: the target's cell, which stays when the target is carried off, and its code.
    """

    parameters = (Parameter.CELL, Parameter.LANDMARK)
    mission = (1,)
    doors_stay = True

    def ending(self, transition: Transition) -> Ending:
        """Pay for `done` in one of the four cells beside the target."""
        distance_x, distance_y = transition.distances(transition.position, transition.parameters[:, 0])
        is_done = transition.action == Actions.done
        return Ending(is_done | (transition.action == Actions.toggle), is_done & (distance_x + distance_y == 1))

    def target(self, state: State, seen: SeenCells) -> Target:
        """Return the cell to stand beside."""
        cell, code, _ = state.parameters.unbind(1)
        return target_at(cell, cell_value(code), seen)


def _door(env: GoToDoorEnv) -> tuple[int, int]:
    return cell_of_place(env, env.target_pos), code_of(Thing("door", env.target_color, "closed"))


def _object(env: GoToObjectEnv) -> tuple[int, int]:
    return cell_of_place(env, env.target_pos), code_of(Thing(env.targetType, env.target_color))


register(DoneBeside(), _door, GoToDoorEnv)
register(DoneBeside(), _object, GoToObjectEnv)
