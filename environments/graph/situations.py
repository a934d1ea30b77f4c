"""An environment into the situation that it is in, and back: all that decides what comes next but the step counter."""

from collections.abc import Hashable
from dataclasses import dataclass

from minigrid.core.world_object import WorldObj
from minigrid.envs.memory import MemoryEnv


@dataclass(frozen=True)
class Situation:
    """A state of a memory task.

    Objects are shared with the environment, since keys, balls and walls never change in themselves.
    """

    cells: tuple[WorldObj | None, ...]
    """The grid, row by row."""
    position: tuple[int, int]
    """The agent's cell (x, y)."""
    direction: int
    """0 east, 1 south, 2 west, 3 north."""
    carrying: WorldObj | None
    success_position: tuple[int, int]
    failure_position: tuple[int, int]

    def key(self) -> Hashable:
        """Return a value that two situations share exactly when they differ in object identity at most."""
        objects = tuple(thing and thing.encode() for thing in (*self.cells, self.carrying))
        return objects, self.position, self.direction, self.success_position, self.failure_position


def situation_of(env: MemoryEnv) -> Situation:
    """Return the situation that the environment is in."""
    return Situation(
        cells=tuple(env.grid.grid),
        position=(int(env.agent_pos[0]), int(env.agent_pos[1])),
        direction=env.agent_dir,
        carrying=env.carrying,
        success_position=env.success_pos,
        failure_position=env.failure_pos,
    )


def put_into(env: MemoryEnv, situation: Situation) -> None:
    """Put the environment into a situation, at the start of an episode's step count."""
    env.grid.grid = list(situation.cells)
    env.agent_pos = situation.position
    env.agent_dir = situation.direction
    env.carrying = situation.carrying
    env.success_pos = situation.success_position
    env.failure_pos = situation.failure_position
    env.step_count = 0
