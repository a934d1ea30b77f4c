"""Places of a machine's states on paper: those of the policy's own play in columns, all others in rows below.

A column holds the states of the own play that as few inputs lead to. Below, states stand in the order of how few lead
to them, every other row set in by half a column, so that fewer lines run through circles.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from dtinterp.equivalence.machines.machine import NO_STATE, PolicyMachine

IN_A_ROW = 7
"""States of the rows below."""


@dataclass(frozen=True)
class StatePlaces:
    """Where states stand, in columns and rows, which need not be whole."""

    column: Float64[np.ndarray, " state"]
    row: Float64[np.ndarray, " state"]

    @property
    def n_columns(self) -> int:
        """The number of columns."""
        return int(np.ceil(self.column.max())) + 1

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return int(np.ceil(self.row.max())) + 1


def places(machine: PolicyMachine, is_own: Bool[np.ndarray, " transition"]) -> StatePlaces:
    """Return where each state stands; `is_own` says which transitions the policy's own play takes."""
    fewest = fewest_inputs(machine)
    starts = machine.start.numpy()
    owned = np.zeros(machine.n_states, dtype=bool)
    owned[starts[starts != NO_STATE]] = True
    owned[machine.target.numpy()[is_own]] = True
    column, row = np.zeros(machine.n_states), np.zeros(machine.n_states)
    steps = np.unique(fewest[owned])
    for number, each in enumerate(steps):
        members = np.flatnonzero(owned & (fewest == each))
        column[members], row[members] = number, np.arange(len(members))
    others = np.flatnonzero(~owned)
    others = others[np.argsort(fewest[others], kind="stable")]
    below, across = np.divmod(np.arange(len(others)), IN_A_ROW)
    column[others] = across + 0.5 * (below % 2)
    row[others] = row[owned].max() + 1 + below
    return StatePlaces(column, row)


def fewest_inputs(machine: PolicyMachine) -> Int64[np.ndarray, " state"]:
    """Return how many actions lead to each state at least; 0 for those after a start."""
    starts = machine.start.numpy()
    fewest = np.full(machine.n_states, NO_STATE)
    fewest[starts[starts != NO_STATE]] = 0
    follows = defaultdict(set)
    for origin, target in zip(machine.origin.tolist(), machine.target.tolist(), strict=True):
        follows[origin].add(target)
    frontier = np.flatnonzero(fewest == 0).tolist()
    while frontier:
        reached = sorted({target for state in frontier for target in follows[state] if fewest[target] == NO_STATE})
        fewest[reached] = fewest[frontier[0]] + 1
        frontier = reached
    return fewest
