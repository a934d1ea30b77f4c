"""An environment into every situation that it can reach and every move between them, by stepping MiniGrid itself."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int8, Int32
from minigrid.core.actions import Actions
from minigrid.envs.memory import MemoryEnv

from environments.graph.situations import Situation, put_into, situation_of
from environments.graph.starts import each_start

CONTINUES, SUCCESS, FAILURE = 0, 1, 2
"""What an action leads to: the episode goes on, ends with reward, or ends without."""

NOWHERE = -1
"""The next state where the episode ends."""


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
