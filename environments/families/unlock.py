"""Worlds of one door: unlock it with its key."""

from dataclasses import dataclass
from typing import ClassVar

from minigrid.core.actions import Actions
from minigrid.core.constants import STATE_TO_IDX
from minigrid.envs.unlock import UnlockEnv
from torch import Tensor

from environments.families.registry import cell_of_object, register
from environments.grid.facts import NO_YES, SHARED_FACTS, SeenCells, Target, cell_value_at, door_state_of, target_at
from environments.grid.state import State
from environments.grid.transition import Ending, Transition, is_open
from environments.grid.world_spec import Parameter, Rule


@dataclass(frozen=True)
class OpenDoor(Rule):
    """Toggling while the door is open, or so that it opens, pays. Parameters: the door's cell."""

    parameters = (Parameter.DOOR,)
    fact_names = (*SHARED_FACTS, "door_is_locked")
    fact_values: ClassVar[dict[str, tuple[str, ...]]] = {"door_is_locked": NO_YES}

    def ending(self, transition: Transition) -> Ending:
        """Pay for any toggle after which the door is open."""
        is_toggle = transition.action == Actions.toggle
        succeeds = is_toggle & is_open(transition.code_at(transition.parameters[:, 0]))
        return Ending(succeeds, succeeds)

    def target(self, state: State, seen: SeenCells) -> Target:
        """Return the door."""
        door = state.parameters[:, 0]
        return target_at(door, cell_value_at(state, door), seen)

    def facts(self, state: State, seen: SeenCells) -> dict[str, Tensor]:
        """Return the shared facts, and whether the door is locked."""
        door = door_state_of(cell_value_at(state, state.parameters[:, 0]))
        return {**super().facts(state, seen), "door_is_locked": door == STATE_TO_IDX["locked"]}


def _door(env: UnlockEnv) -> tuple[int]:
    return (cell_of_object(env, env.door),)


register(OpenDoor(), _door, UnlockEnv)
