"""An environment id into its state graph: every state, what it shows, where actions lead, and which are best."""

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import cast

import gymnasium
import numpy as np
from jaxtyping import Bool, Float64, Int8, Int16, Int32, UInt8
from minigrid.core.constants import OBJECT_TO_IDX
from minigrid.envs.memory import MemoryEnv

from environments.facts import facts_of
from environments.graph.exploration import CONTINUES, NOWHERE, explore
from environments.graph.numbering import number_rows
from environments.graph.shortest import optimal_actions, steps_to_success
from environments.graph.situations import Situation, put_into
from environments.registration import require_supported


@dataclass(frozen=True, eq=False)
class StateGraph:
    """The truth about a world, with states and frames numbered in order of discovery.

    The step counter is no part of a state. The arrays are read-only, because everybody shares them.
    """

    env_id: str
    max_steps: int
    """The episode is cut off after so many steps."""
    frames: UInt8[np.ndarray, "frame view view 3"]
    """The distinct frames (object, colour, state of each cell [x, y] of the view) that non-terminal states show."""
    frame_id: Int32[np.ndarray, " state"]
    """The frame that each state shows."""
    next_state: Int32[np.ndarray, "state action"]
    """Where each action leads; -1 where the episode ends."""
    outcome: Int8[np.ndarray, "state action"]
    """CONTINUES (0), SUCCESS (1) or FAILURE (2)."""
    facts: Int16[np.ndarray, "state fact"]
    """Columns as in `environments.facts.FACTS`; time is 0."""
    overview: UInt8[np.ndarray, "state width height 3"]
    """The whole grid from above, the agent's cell holding (agent, 0, direction)."""
    start: Int32[np.ndarray, " start"]
    """The states in which an episode can begin."""
    start_probability: Float64[np.ndarray, " start"]
    """How likely each of them is; they are equally likely in every world but the random-length ones."""
    steps_to_success: Int32[np.ndarray, " state"]
    """The fewest actions to success, the last one included; -1 where there is no way."""
    optimal: Bool[np.ndarray, "state action"]
    """The actions with which some shortest way to success begins."""

    def __post_init__(self) -> None:
        ends = self.outcome != CONTINUES
        if not np.array_equal(ends, self.next_state == NOWHERE):
            raise ValueError(
                f"The state graph of {self.env_id} has an action that both ends the episode and leads somewhere."
            )
        if not np.isclose(self.start_probability.sum(), 1):
            raise ValueError(
                f"The starts of {self.env_id} have total probability {self.start_probability.sum()}, not 1."
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    @property
    def n_states(self) -> int:
        """The number of states in which an action can be taken."""
        return self.next_state.shape[0]

    @property
    def n_actions(self) -> int:
        """The number of actions."""
        return self.next_state.shape[1]


@lru_cache
def state_graph(env_id: str) -> StateGraph:
    """Enumerate the world of `env_id` by stepping MiniGrid breadth-first; later calls return the same graph.

    Raises ValueError for an id that is not one of `environments.registration.SUPPORTED_IDS`.
    """
    require_supported(env_id)
    env = cast(MemoryEnv, gymnasium.make(env_id, disable_env_checker=True).unwrapped)
    exploration = explore(env)
    sights = [_sight(env, situation) for situation in exploration.situations]
    observations = np.stack([sight.frame for sight in sights])  # state view view 3
    frame_id = number_rows(observations)
    first_state = np.unique(frame_id, return_index=True)[1]
    steps = steps_to_success(exploration.next_state, exploration.outcome)
    return StateGraph(
        env_id=env_id,
        max_steps=env.max_steps,
        frames=observations[first_state],
        frame_id=frame_id,
        next_state=exploration.next_state,
        outcome=exploration.outcome,
        facts=np.stack([sight.facts for sight in sights]),
        overview=np.stack([sight.overview for sight in sights]),
        start=exploration.start,
        start_probability=exploration.start_probability,
        steps_to_success=steps,
        optimal=optimal_actions(exploration.next_state, exploration.outcome, steps=steps),
    )


@dataclass(frozen=True)
class _Sight:
    """What there is to see in one state."""

    frame: UInt8[np.ndarray, "view view 3"]
    overview: UInt8[np.ndarray, "width height 3"]
    facts: Int16[np.ndarray, " fact"]


def _sight(env: MemoryEnv, situation: Situation) -> _Sight:
    """Look at one situation from within and from above."""
    put_into(env, situation)
    overview = env.grid.encode()
    overview[situation.position] = (OBJECT_TO_IDX["agent"], 0, situation.direction)
    return _Sight(frame=env.gen_obs()["image"], overview=overview, facts=facts_of(env))
