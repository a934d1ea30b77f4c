"""What the enumeration of a memory world finds, against every placement that the rules allow."""

from itertools import product

import numpy as np
import pytest

from environments.graph.enumeration import CONTINUES, NOWHERE, Enumeration, enumerate_states
from environments.graph.starts import exhaustive_layouts
from environments.grid.cells import EMPTY, THING_OF_CODE, Thing, codes_of

Cell = tuple[int, int]

TARGETS = {(5, 1), (5, 5)}
ENDS = {(5, 2), (5, 4)}
INSTRUCTION = (1, 2)
FLOOR = {*product((1, 2, 3), (2, 3, 4)), (4, 3), (5, 3)}
"""The cells of the 7 by 7 world in which an episode goes on, the instruction's included."""


def _enumerated(env_id: str) -> Enumeration:
    return enumerate_states(exhaustive_layouts(env_id))


def _cells(found: Enumeration) -> list[dict[Cell, Thing]]:
    """What lies where in each state."""
    rows = codes_of(found.states.grid[:, :-1]).tolist()
    return [{divmod(cell, 7): THING_OF_CODE[code] for cell, code in enumerate(row)} for row in rows]


def _placements(found: Enumeration) -> list[tuple[object, ...]]:
    """The fork's outcome, the pose, and the cell of the one object that is no target, None where it is carried."""
    states, placements = found.states, []
    for state, cells in enumerate(_cells(found)):
        loose = [cell for cell, thing in cells.items() if thing.can_be_carried and cell not in TARGETS]
        cell = None if int(states.hand[state]) else loose[0]
        end, agent = (divmod(int(column[state]), 7) for column in (states.parameters[:, 0], states.position))
        placements.append((cells[5, 1].kind, end, agent, int(states.direction[state]), cell))
    return placements


def test_the_movable_world_has_every_placement_of_agent_and_instruction_and_no_other() -> None:
    places = [(agent, thing) for agent, thing in product(FLOOR, FLOOR | ENDS | {None}) if agent != thing]
    assert len(places) * 4 == 572
    expected = {
        (top, success, agent, direction, thing)
        for top, success, direction, (agent, thing) in product(("key", "ball"), ENDS, range(4), places)
    }
    found = _placements(_enumerated("MiniGrid-MemoryS7FixedStart-v0"))
    assert len(found) == 4 * 572
    assert set(found) == expected


@pytest.mark.parametrize("env_id", ["MiniGrid-MemoryS7FixedStartStatic-v0", "MiniGrid-MemoryS7-v0"])
def test_the_static_world_has_every_pose_and_no_other(env_id: str) -> None:
    expected = set(product(("key", "ball"), ENDS, FLOOR - {INSTRUCTION}, range(4), [INSTRUCTION]))
    found = _placements(_enumerated(env_id))
    assert len(found) == 160
    assert set(found) == expected


def test_states_are_numbered_in_order_of_discovery() -> None:
    found = _enumerated("MiniGrid-MemoryS7FixedStart-v0")
    arrivals = found.next_state[found.outcome == CONTINUES]  # row by row
    first_sight = np.unique(np.concatenate([found.start, arrivals]), return_index=True)[1]
    assert len(first_sight) == len(found.states)
    assert (np.diff(first_sight) > 0).all()


def test_an_episode_ends_in_the_two_cells_beside_the_targets_only() -> None:
    found = _enumerated("MiniGrid-MemoryS7FixedStart-v0")
    assert ((found.outcome == CONTINUES) == (found.next_state != NOWHERE)).all()
    forward, vectors = 2, [(1, 0), (0, 1), (-1, 0), (0, -1)]
    for state, cells in enumerate(_cells(found)):
        (x, y), (dx, dy) = divmod(int(found.states.position[state]), 7), vectors[int(found.states.direction[state])]
        ahead = x + dx, y + dy
        ends = [action == forward and cells[ahead] == EMPTY and ahead in ENDS for action in range(7)]
        assert (found.outcome[state] != CONTINUES).tolist() == ends


def test_different_choices_that_make_the_same_start_add_up() -> None:
    found = _enumerated("MiniGrid-MemoryS7FixedStart-v0")
    assert found.start.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found.start_probability, [0.25] * 4)
