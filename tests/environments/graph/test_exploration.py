"""What breadth-first stepping finds, against every placement that the rules allow."""

from functools import cache
from itertools import product
from typing import cast

import gymnasium
import numpy as np
import pytest
from minigrid.core.world_object import Ball, Key
from minigrid.envs.memory import MemoryEnv

from environments.graph.exploration import CONTINUES, NOWHERE, Exploration, explore
from environments.graph.situations import Situation

TARGETS = {(5, 1), (5, 5)}
ENDS = {(5, 2), (5, 4)}
INSTRUCTION = (1, 2)
FLOOR = {*product((1, 2, 3), (2, 3, 4)), (4, 3), (5, 3)}
"""The cells of the 7 by 7 world in which an episode goes on, the instruction's included."""


@cache
def _explore(env_id: str) -> Exploration:
    return explore(cast(MemoryEnv, gymnasium.make(env_id, disable_env_checker=True).unwrapped))


def _placement(situation: Situation) -> tuple[object, ...]:
    """The fork's outcome, the pose, and the cell of the one object that is no target, None where it is carried."""
    cells = {(index % 7, index // 7): thing for index, thing in enumerate(situation.cells)}
    top = cells[5, 1]
    assert top is not None
    loose = [cell for cell, thing in cells.items() if isinstance(thing, Key | Ball) and cell not in TARGETS]
    cell = loose[0] if situation.carrying is None else None
    return top.type, situation.success_position, situation.position, situation.direction, cell


def test_the_movable_world_has_every_placement_of_agent_and_instruction_and_no_other() -> None:
    exploration = _explore("MiniGrid-MemoryS7FixedStart-v0")
    places = [(agent, thing) for agent, thing in product(FLOOR, FLOOR | ENDS | {None}) if agent != thing]
    assert len(places) * 4 == 572
    expected = {
        (top, success, agent, direction, thing)
        for top, success, direction, (agent, thing) in product(("key", "ball"), ENDS, range(4), places)
    }
    found = [_placement(situation) for situation in exploration.situations]
    assert len(found) == 4 * 572
    assert set(found) == expected


@pytest.mark.parametrize("env_id", ["MiniGrid-MemoryS7FixedStartStatic-v0", "MiniGrid-MemoryS7-v0"])
def test_the_static_world_has_every_pose_and_no_other(env_id: str) -> None:
    expected = set(product(("key", "ball"), ENDS, FLOOR - {INSTRUCTION}, range(4), [INSTRUCTION]))
    found = [_placement(situation) for situation in _explore(env_id).situations]
    assert len(found) == 160
    assert set(found) == expected


def test_states_are_numbered_in_order_of_discovery() -> None:
    exploration = _explore("MiniGrid-MemoryS7FixedStart-v0")
    arrivals = exploration.next_state[exploration.outcome == CONTINUES]  # row by row
    seen = np.concatenate([exploration.start, arrivals])
    first_sight = np.unique(seen, return_index=True)[1]
    assert len(first_sight) == len(exploration.situations)
    assert (np.diff(first_sight) > 0).all()


def test_an_episode_ends_in_the_two_cells_beside_the_targets_only() -> None:
    exploration = _explore("MiniGrid-MemoryS7FixedStart-v0")
    assert ((exploration.outcome == CONTINUES) == (exploration.next_state != NOWHERE)).all()
    forward = 2
    vectors = [(1, 0), (0, 1), (-1, 0), (0, -1)]
    for situation, outcomes in zip(exploration.situations, exploration.outcome, strict=True):
        dx, dy = vectors[situation.direction]
        ahead = situation.position[0] + dx, situation.position[1] + dy
        is_free = situation.cells[ahead[1] * 7 + ahead[0]] is None
        ends = [action == forward and is_free and ahead in ENDS for action in range(7)]
        assert (outcomes != CONTINUES).tolist() == ends


def test_different_choices_that_make_the_same_start_add_up() -> None:
    exploration = _explore("MiniGrid-MemoryS7FixedStart-v0")
    assert exploration.start.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(exploration.start_probability, [0.25] * 4)
