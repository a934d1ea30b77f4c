"""Worlds of two doors: open the red one, then the blue one."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from minigrid.core.constants import STATE_TO_IDX
from minigrid.envs.redbluedoors import RedBlueDoorEnv
from torch import Tensor

from environments.families.registry import cell_of_object, register
from environments.grid.facts import NO_YES, SHARED_FACTS, SeenCells, Target, cell_value_at, door_state_of, target_at
from environments.grid.state import State
from environments.grid.transition import Ending, Transition, is_open
from environments.grid.world_spec import Parameter, Rule


@dataclass(frozen=True)
class OpenRedThenBlue(Rule):
    """Opening the blue door ends the episode and pays if the red one was open. Parameters: cells of red and blue."""

    parameters = (Parameter.DOOR, Parameter.DOOR)
    fact_names = (*SHARED_FACTS, "red_is_open")
    fact_values: ClassVar[dict[str, tuple[str, ...]]] = {"red_is_open": NO_YES}

    def ending(self, transition: Transition) -> Ending:
        """Pay where the blue door is open, and the red one was before."""
        red, blue, _ = transition.parameters.unbind(1)
        red_is_open, blue_is_open = is_open(transition.code_at(red)), is_open(transition.code_at(blue))
        front_was_open = is_open(transition.front_code_before)
        red_was_open = torch.where(transition.front == red, front_was_open, red_is_open)
        blue_was_open = torch.where(transition.front == blue, front_was_open, blue_is_open)
        return Ending(blue_is_open | (red_is_open & blue_was_open), blue_is_open & red_was_open)

    def target(self, state: State, seen: SeenCells) -> Target:
        """Return the blue door."""
        blue = state.parameters[:, 1]
        return target_at(blue, cell_value_at(state, blue), seen)

    def facts(self, state: State, seen: SeenCells) -> dict[str, Tensor]:
        """Return the shared facts, and whether the red door is open."""
        red = door_state_of(cell_value_at(state, state.parameters[:, 0]))
        return {**super().facts(state, seen), "red_is_open": red == STATE_TO_IDX["open"]}


def _red_and_blue(env: RedBlueDoorEnv) -> tuple[int, int]:
    return cell_of_object(env, env.red_door), cell_of_object(env, env.blue_door)


register(OpenRedThenBlue(), _red_and_blue, RedBlueDoorEnv)
