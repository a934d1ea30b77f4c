"""Enumeration of every state that can be reached from a world's layouts, and of every move between them.

The batched twin takes all seven actions in all states of a frontier at once; what is new among the results is the next
frontier. The step counter is no part of a state.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int8, Int32, Int64, Shaped, UInt8
from minigrid.core.actions import Actions
from torch import Tensor

from environments.grid.cells import codes_of
from environments.grid.state import State, concatenated
from environments.grid.world_spec import WorldSpec
from environments.twin.dynamics import step
from environments.twin.layouts import Layouts

CONTINUES, SUCCESS, FAILURE = 0, 1, 2
"""What an action leads to: the episode goes on, ends with reward, or ends without."""

NOWHERE = -1
"""The next state where the episode ends."""

UNREACHABLE = -1
"""The number of steps where no sequence of actions leads to a state."""

MAX_STATES = 1_000_000
"""States after which an enumeration gives up, unless it is told otherwise."""


@dataclass(frozen=True, eq=False)
class Enumeration:
    """The states of a world, numbered in order of discovery, and the moves between them."""

    spec: WorldSpec
    states: State
    """At time 0."""
    next_state: Int32[np.ndarray, "state action"]
    outcome: Int8[np.ndarray, "state action"]
    depth: Int32[np.ndarray, " state"]
    """The fewest steps in which each state is reached from a start."""
    start: Int32[np.ndarray, " start"]
    start_probability: Float64[np.ndarray, " start"]


def enumerate_states(layouts: Layouts, *, max_states: int = MAX_STATES) -> Enumeration:
    """Return all that can happen from these layouts, breadth-first, whatever the step counter says.

    Raises ValueError if there are more than `max_states` states.
    """
    atlas = _Atlas(layouts.spec, max_states)
    start, start_probability = _merged(atlas.number(layouts.start), layouts.probability.numpy())
    next_state, outcome, depth = [], [], []
    while atlas.n_numbered > atlas.n_explored:
        frontier = atlas.take_frontier()
        depth.append(np.full(len(frontier), len(depth), dtype=np.int32))
        moves, endings = _moves(frontier, atlas)
        next_state.append(moves)
        outcome.append(endings)
    return Enumeration(
        spec=layouts.spec,
        states=concatenated(atlas.frontiers),
        next_state=np.concatenate(next_state),
        outcome=np.concatenate(outcome),
        depth=np.concatenate(depth),
        start=start,
        start_probability=start_probability,
    )


def number_rows(rows: Shaped[np.ndarray, "row ..."]) -> Int32[np.ndarray, " row"]:
    """Return a number for each row; equal rows share one, and a row unlike all before it gets the next one from 0."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in rows], dtype=np.int32)


class _Atlas:
    """States by number; those that were numbered and not yet taken are the next frontier."""

    def __init__(self, spec: WorldSpec, max_states: int) -> None:
        self.frontiers: list[State] = []
        self.n_explored = 0
        self.spec, self._max_states = spec, max_states
        self._number: dict[bytes, int] = {}
        self._waiting: list[State] = []

    @property
    def n_numbered(self) -> int:
        return len(self._number)

    def number(self, states: State) -> Int32[np.ndarray, " row"]:
        """Return the number of each state; states unlike all before get the next numbers and wait in the frontier."""
        n_known = self.n_numbered
        numbers = np.array(
            [self._number.setdefault(key, len(self._number)) for key in state_keys(states)], dtype=np.int32
        )
        if self.n_numbered > self._max_states:
            raise ValueError(
                f"{self.spec.env_id} has more than {self._max_states} states from these layouts; give fewer layouts "
                f"or raise max_states."
            )
        fresh, first_row = np.unique(numbers, return_index=True)
        rows = torch.tensor(first_row[fresh >= n_known])
        self._waiting.append(replace(states[rows], time=torch.zeros(len(rows), dtype=torch.int64)))
        return numbers

    def take_frontier(self) -> State:
        frontier, self._waiting = concatenated(self._waiting), []
        self.frontiers.append(frontier)
        self.n_explored += len(frontier)
        return frontier


def state_keys(states: State) -> list[bytes]:
    """Return a value for each state that two states share exactly when nothing but their step counters differs."""
    columns = (states.position, states.direction, states.hand, *states.parameters.unbind(1))
    numbers = torch.stack([column.long() for column in columns], dim=1).view(torch.uint8)
    rows: UInt8[Tensor, "row byte"] = torch.cat([codes_of(states.grid).to(torch.uint8), numbers], dim=1)
    content, width = rows.cpu().numpy().tobytes(), rows.shape[1]
    return [content[begin : begin + width] for begin in range(0, len(content), width)]


def _moves(
    frontier: State, atlas: _Atlas
) -> tuple[Int32[np.ndarray, "state action"], Int8[np.ndarray, "state action"]]:
    """Return where each action leads from each state of the frontier, and how it ends; new states get numbers."""
    n_actions = len(Actions)
    action: Int64[Tensor, " move"] = torch.arange(n_actions).repeat(len(frontier))
    tried = frontier[torch.arange(len(frontier)).repeat_interleave(n_actions)]
    after, result = step(tried, action, atlas.spec)
    going_on: Bool[Tensor, " move"] = ~result.terminated
    next_state = np.full(len(action), NOWHERE, dtype=np.int32)
    next_state[going_on.numpy()] = atlas.number(after[going_on.nonzero()[:, 0]])
    ending = torch.where(result.success, SUCCESS, FAILURE)
    outcome = torch.where(going_on, CONTINUES, ending).to(torch.int8).numpy()
    return next_state.reshape(-1, n_actions), outcome.reshape(-1, n_actions)


def _merged(
    start: Int32[np.ndarray, " layout"], probability: Float64[np.ndarray, " layout"]
) -> tuple[Int32[np.ndarray, " start"], Float64[np.ndarray, " start"]]:
    """Return each start once, in order of number, with the sum of its layouts' probabilities."""
    distinct, which = np.unique(start, return_inverse=True)
    return distinct.astype(np.int32), np.bincount(which, weights=probability)


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
