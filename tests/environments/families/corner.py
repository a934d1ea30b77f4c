"""A toy family, in one file as any other: walk to the corner that a layout names, and do not leave the first column."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import gymnasium
import numpy as np
from jaxtyping import Int32
from minigrid.envs.empty import EmptyEnv
from minigrid.minigrid_env import MiniGridEnv
from torch import Tensor

from environments.families.registry import cell_of_place, register
from environments.grid.facts import NO_YES, SHARED_FACTS, SeenCells, Target, cell_value_at, target_at
from environments.grid.flaws import Flaw
from environments.grid.state import State
from environments.grid.transition import Ending, Transition
from environments.grid.world_spec import Parameter, Rule, WorldSpec

ENV_ID = "Toy-Corner-v0"


class CornerEnv(EmptyEnv):
    """An empty room without a goal; a corner of it, drawn for each episode, is where to go."""

    corner: tuple[int, int] = (1, 1)

    def _gen_grid(self, width: int, height: int) -> None:
        super()._gen_grid(width, height)
        self.grid.set(width - 2, height - 2, None)
        self.agent_pos = np.array((1, height // 2))
        self.corner = (1, self._rand_elem([1, height - 2]))

    def step(self, action: object) -> tuple[dict[str, object], float, bool, bool, dict[str, object]]:
        """End the episode in the corner, or in any other column."""
        observation, _, _, truncated, info = MiniGridEnv.step(self, action)
        place = tuple(self.agent_pos)
        reward = self._reward() if place == self.corner else 0.0
        return observation, float(reward), place == self.corner or place[0] != 1, truncated, info


@dataclass(frozen=True)
class ReachCorner(Rule):
    """Standing in the corner pays, leaving the first column ends the episode. Parameters: the corner."""

    parameters = (Parameter.END,)
    fact_names = (*SHARED_FACTS, "corner_is_north")
    fact_values: ClassVar[dict[str, tuple[str, ...]]] = {"corner_is_north": NO_YES}

    def ending(self, transition: Transition) -> Ending:
        """Ask where the agent stands."""
        success = transition.position == transition.parameters[:, 0]
        return Ending(success | (transition.position // transition.height != 1), success)

    def target(self, state: State, seen: SeenCells) -> Target:
        """Return the corner."""
        corner = state.parameters[:, 0]
        return target_at(corner, cell_value_at(state, corner), seen)

    def facts(self, state: State, seen: SeenCells) -> dict[str, Tensor]:
        """Return the shared facts, and whether the corner lies in the first row."""
        return {**super().facts(state, seen), "corner_is_north": state.parameters[:, 0] % seen.height == 1}

    def flaws(self, state: State, codes: Int32[Tensor, "world cell"], spec: WorldSpec) -> Iterator[Flaw]:  # noqa: ARG002
        """The corner is in the first column."""
        corner = state.parameters[:, 0]
        yield Flaw(corner // spec.height != 1, lambda world: f"The corner is cell {int(corner[world])}.")


register(ReachCorner(), lambda env: (cell_of_place(env, env.corner),), CornerEnv)
gymnasium.register(id=ENV_ID, entry_point=CornerEnv, kwargs={"size": 6})
