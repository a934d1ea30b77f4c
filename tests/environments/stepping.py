"""The slow reference of the enumeration: every situation of a memory task, by stepping MiniGrid itself."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int8, Int32
from minigrid.core.actions import Actions
from minigrid.core.world_object import WorldObj
from minigrid.envs.memory import MemoryEnv

from environments.graph.enumeration import CONTINUES, FAILURE, NOWHERE, SUCCESS
from environments.graph.starts import each_start


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


@dataclass(frozen=True)
class Exploration:
    """The situations of a world, numbered in order of discovery, and the moves between them."""

    situations: tuple[Situation, ...]
    next_state: Int32[np.ndarray, "state action"]
    outcome: Int8[np.ndarray, "state action"]
    start: Int32[np.ndarray, " start"]
    start_probability: Float64[np.ndarray, " start"]


class _Atlas:
    """Situations by number; equal situations share one."""

    def __init__(self) -> None:
        self.situations: list[Situation] = []
        self._number: dict[object, int] = {}

    def number(self, situation: Situation) -> int:
        number = self._number.setdefault(situation.key(), len(self.situations))
        if number == len(self.situations):
            self.situations.append(situation)
        return number


def explore(env: MemoryEnv) -> Exploration:
    """Return all that can happen in the environment, breadth-first from every start, whatever the step counter says."""
    atlas = _Atlas()
    starts: dict[int, float] = {}
    for probability in each_start(env):
        start = atlas.number(situation_of(env))
        starts[start] = starts.get(start, 0.0) + probability
    moves = [
        [_move(env, situation, action=action, atlas=atlas) for action in Actions]
        for situation in atlas.situations  # grows while it is read, which is what makes the search breadth-first
    ]
    return Exploration(
        situations=tuple(atlas.situations),
        next_state=np.array([[next_state for next_state, _ in row] for row in moves], dtype=np.int32),
        outcome=np.array([[outcome for _, outcome in row] for row in moves], dtype=np.int8),
        start=np.array(list(starts), dtype=np.int32),
        start_probability=np.array(list(starts.values())),
    )


def _move(env: MemoryEnv, situation: Situation, *, action: int, atlas: _Atlas) -> tuple[int, int]:
    """Return the number of the next situation and the outcome of one action."""
    put_into(env, situation)
    _, reward, terminated, _, _ = env.step(action)
    if not terminated:
        return atlas.number(situation_of(env)), CONTINUES
    return NOWHERE, SUCCESS if reward else FAILURE
