"""Fewest steps to success from each state, and the actions that begin a shortest way."""

import numpy as np
from jaxtyping import Bool, Int8, Int32

from environments.graph.enumeration import CONTINUES, SUCCESS

NO_WAY = -1
"""The number of steps where success cannot be reached."""


def steps_to_success(
    next_state: Int32[np.ndarray, "state action"], outcome: Int8[np.ndarray, "state action"]
) -> Int32[np.ndarray, " state"]:
    """Return the fewest actions that lead to success, the last one included; NO_WAY where none do.

    Iterates the shortest-path form of Bellman's equation, 1 + min over actions, to its fixed point.
    """
    unreached = len(next_state) + 1  # longer than any shortest way
    steps = np.full(len(next_state), unreached, dtype=np.int32)
    while True:
        onward = _steps_after(next_state, outcome, steps=steps, unreached=unreached)
        improved = np.minimum(1 + onward.min(axis=1), unreached)
        if np.array_equal(improved, steps):
            return np.where(steps == unreached, NO_WAY, steps).astype(np.int32)
        steps = improved


def optimal_actions(
    next_state: Int32[np.ndarray, "state action"],
    outcome: Int8[np.ndarray, "state action"],
    *,
    steps: Int32[np.ndarray, " state"],
) -> Bool[np.ndarray, "state action"]:
    """Return whether each action begins a shortest way, given `steps_to_success`; none does where there is no way."""
    unreached = len(next_state) + 1
    onward = _steps_after(next_state, outcome, steps=np.where(steps == NO_WAY, unreached, steps), unreached=unreached)
    return 1 + onward == steps[:, None]


def _steps_after(
    next_state: Int32[np.ndarray, "state action"],
    outcome: Int8[np.ndarray, "state action"],
    *,
    steps: Int32[np.ndarray, " state"],
    unreached: int,
) -> Int32[np.ndarray, "state action"]:
    """Return how many more actions success takes after each one: 0 where it succeeds, `unreached` where it fails."""
    at_end = np.where(outcome == SUCCESS, 0, unreached)
    return np.where(outcome == CONTINUES, steps[next_state], at_end).astype(np.int32)
