"""The state graph of a world: every state, what it shows, where actions lead, and which are best."""

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int16, Int32, UInt8

from environments.families.facts import fact_names, facts_of_states
from environments.families.memory import MEMORY_FACTS
from environments.graph.enumeration import CONTINUES, MAX_STATES, NOWHERE, Enumeration, enumerate_states, number_rows
from environments.graph.shortest import optimal_actions, steps_to_success
from environments.graph.starts import exhaustive_layouts
from environments.grid.observation import observe, overview
from environments.twin.layouts import Layouts


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
    """Columns as in `fact_names`; time is 0."""
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
    fact_names: tuple[str, ...] = MEMORY_FACTS
    """What the columns of `facts` are."""

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
    """Enumerate a memory world from all its starts, frontier by frontier; later calls return the same graph.

    Raises ValueError for an id that is not one of `environments.registration.SUPPORTED_IDS`.
    """
    return graph_of(enumerate_states(exhaustive_layouts(env_id)))


def layout_graph(layouts: Layouts, *, max_states: int = MAX_STATES) -> StateGraph:
    """Return the graph of all that can happen from these layouts, in a world of any family.

    Raises ValueError if there are more than `max_states` states.
    """
    return graph_of(enumerate_states(layouts, max_states=max_states))


def graph_of(enumeration: Enumeration) -> StateGraph:
    """Add to the states and moves of a world what its states show, their facts, and the shortest ways to success."""
    spec, states = enumeration.spec, enumeration.states
    observations = observe(states, spec).numpy()  # state view view 3
    frame_id = number_rows(observations)
    first_state = np.unique(frame_id, return_index=True)[1]
    steps = steps_to_success(enumeration.next_state, enumeration.outcome)
    return StateGraph(
        env_id=spec.env_id,
        max_steps=spec.max_steps,
        frames=observations[first_state],
        frame_id=frame_id,
        next_state=enumeration.next_state,
        outcome=enumeration.outcome,
        facts=facts_of_states(states, spec).numpy(),
        overview=overview(states, spec).numpy(),
        start=enumeration.start,
        start_probability=enumeration.start_probability,
        steps_to_success=steps,
        optimal=optimal_actions(enumeration.next_state, enumeration.outcome, steps=steps),
        fact_names=fact_names(spec),
    )
