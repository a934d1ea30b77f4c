"""Worlds with a goal: empty rooms, doors and keys, crossings, lava, and rooms behind rooms."""

from dataclasses import dataclass

import torch
from minigrid.core.roomgrid import RoomGrid
from minigrid.minigrid_env import MiniGridEnv

from environments.families.registry import register
from environments.grid.transition import Ending, Transition
from environments.grid.world_spec import Rule


@dataclass(frozen=True)
class ReachGoal(Rule):
    """Stepping onto a goal pays, stepping onto lava ends the episode. No parameters."""

    def ending(self, transition: Transition) -> Ending:
        """Leave it to goals and lava."""
        never = torch.zeros_like(transition.event, dtype=torch.bool)
        return Ending(never, never)


register(ReachGoal(), lambda _: (), MiniGridEnv, RoomGrid)
