"""An edited state into the number of steps in which the world can get there by itself, if it can."""

import numpy as np
from jaxtyping import Int32

from environments.graph.enumeration import Enumeration, state_keys
from environments.grid.state import State

UNREACHABLE = -1
"""The number of steps where no sequence of actions leads to a state."""


def steps_to_reach(enumeration: Enumeration, states: State) -> Int32[np.ndarray, " row"]:
    """Return the fewest steps from a start of the world to each state, or UNREACHABLE.

    A state is reached if an action can still be taken in it, so in fewer steps than the time limit. What the step
    counters of the states say does not matter. Raises ValueError for states whose grids have another size.
    """
    if states.grid.shape[1] != enumeration.states.grid.shape[1]:
        raise ValueError(
            f"The states have {states.grid.shape[1] - 1} cells; those of {enumeration.spec.env_id} have "
            f"{enumeration.spec.n_cells}."
        )
    within_limit = np.where(enumeration.depth < enumeration.spec.max_steps, enumeration.depth, UNREACHABLE)
    depth = dict(zip(state_keys(enumeration.states), within_limit.tolist(), strict=True))
    return np.array([depth.get(key, UNREACHABLE) for key in state_keys(states)], dtype=np.int32)
