"""Graphs enumerated frontier by frontier, against MiniGrid stepped state by state."""

from collections.abc import Callable
from typing import cast

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import load_env_creator
from minigrid.core.actions import Actions
from minigrid.envs.memory import MemoryEnv
from minigrid.minigrid_env import MiniGridEnv

from environments.graph.enumeration import (
    CONTINUES,
    FAILURE,
    NOWHERE,
    SUCCESS,
    UNREACHABLE,
    enumerate_states,
    number_rows,
    state_keys,
    steps_to_reach,
)
from environments.graph.starts import exhaustive_layouts
from environments.graph.state_graph import layout_graph
from environments.grid.cells import Thing
from environments.grid.state import State
from environments.registration import make, twin_ids
from environments.twin.dynamics import step
from environments.twin.editing import Move, Place, Recolour, edited
from environments.twin.layouts import draw_layouts, state_of
from tests.environments.stepping import explore

STEPPED = ("MiniGrid-MemoryS7-v0", "MiniGrid-MemoryS7FixedStartStatic-v0", "MiniGrid-MemoryS9-v0")


@pytest.mark.parametrize(
    "env_id",
    [
        *STEPPED,
        pytest.param("MiniGrid-MemoryS7FixedStart-v0", marks=pytest.mark.slow),
        pytest.param("MiniGrid-MemoryS7RandomDirection-v0", marks=pytest.mark.slow),
        pytest.param("MiniGrid-MemoryS13Random-v0", marks=pytest.mark.slow),
    ],
)
def test_the_twin_finds_the_graph_that_stepping_minigrid_finds(env_id: str) -> None:
    stepped = explore(cast(MemoryEnv, gymnasium.make(env_id, disable_env_checker=True).unwrapped))
    found = enumerate_states(exhaustive_layouts(env_id))
    assert np.array_equal(found.next_state, stepped.next_state)
    assert np.array_equal(found.outcome, stepped.outcome)
    assert np.array_equal(found.start, stepped.start)
    np.testing.assert_allclose(found.start_probability, stepped.start_probability)
    poses = zip(found.states.direction.tolist(), found.states.position.tolist(), strict=True)
    places = [(direction, divmod(position, found.spec.height)) for direction, position in poses]
    assert places == [(situation.direction, situation.position) for situation in stepped.situations]


SMALL = {
    "crossing": ("MiniGrid-LavaCrossingS9N2-v0", "MiniGrid-SimpleCrossingS9N1-v0"),
    "distshift": ("MiniGrid-DistShift1-v0", "MiniGrid-DistShift2-v0"),
    "doorkey": ("MiniGrid-DoorKey-5x5-v0",),
    "empty": ("MiniGrid-Empty-Random-6x6-v0", "MiniGrid-Empty-8x8-v0"),
    "fetch": ("MiniGrid-Fetch-5x5-N2-v0", "MiniGrid-Fetch-8x8-N3-v0"),
    "fourrooms": ("MiniGrid-FourRooms-v0",),
    "gotodoor": ("MiniGrid-GoToDoor-5x5-v0", "MiniGrid-GoToDoor-8x8-v0"),
    "gotoobject": ("MiniGrid-GoToObject-6x6-N2-v0",),
    "keycorridor": ("MiniGrid-KeyCorridorS3R1-v0",),
    "lavagap": ("MiniGrid-LavaGapS5-v0", "MiniGrid-LavaGapS7-v0"),
    "memory": ("MiniGrid-MemoryS9-v0", "MiniGrid-MemoryS7RandomDirection-v0"),
    "multiroom": ("MiniGrid-MultiRoom-N2-S4-v0",),
    "obstructedmaze": ("MiniGrid-ObstructedMaze-1Dl-v0",),
    "putnear": ("MiniGrid-PutNear-6x6-N2-v0",),
    "redbluedoors": ("MiniGrid-RedBlueDoors-6x6-v0",),
    "unlock": ("MiniGrid-Unlock-v0",),
    "unlockpickup": ("MiniGrid-UnlockPickup-v0",),
}
"""One id or two of each family whose graph MiniGrid can step through. The families that are missing have more than
400,000 states from one layout: blockedunlockpickup, lockedroom, playground.
"""

LENGTHY = ("gotoobject", "obstructedmaze", "unlockpickup")
"""Families whose smallest graphs have 3,000 to 17,000 states."""

SMALL_IDS = [
    pytest.param(env_id, marks=pytest.mark.slow if name in LENGTHY else ())
    for name, env_ids in SMALL.items()
    for env_id in env_ids
]


@pytest.mark.parametrize("env_id", SMALL_IDS)
def test_every_move_of_a_graph_is_the_move_that_minigrid_makes(
    env_id: str, put: Callable, scene_of: Callable, states_of: Callable
) -> None:
    """All actions from all states. Since the start is MiniGrid's own, no state is missing and none is invented."""
    found = enumerate_states(draw_layouts(env_id, [0]))
    env, keys = make(env_id), state_keys(found.states)
    env.reset(seed=0)
    assert state_keys(state_of(env)) == [keys[found.start[0]]]
    env.gen_obs = dict
    moves = [
        move for state in range(len(keys)) for move in _moves(env, found.states[torch.tensor([state])], put, scene_of)
    ]
    outcomes = np.array([outcome for outcome, _ in moves]).reshape(-1, 7)
    assert np.array_equal(found.outcome, outcomes)
    reached = state_keys(states_of([scene for _, scene in moves]))
    for (state, action), after in np.ndenumerate(found.next_state):
        ours, theirs = keys[after] if after != NOWHERE else None, reached[7 * state + action]
        assert ours == (theirs if outcomes[state, action] == CONTINUES else None), (env_id, state, action)


def _moves(env: MiniGridEnv, state: State, put: Callable, scene_of: Callable) -> list[tuple[int, object]]:
    """The outcome of each action in a state and what MiniGrid is like after it; toggling comes last, since it changes
    doors and not only the grid.
    """
    put(env, state)
    begin = vars(env) | {"cells": list(env.grid.grid)}
    made = {}
    for action in sorted(Actions, key=lambda action: action == Actions.toggle):
        vars(env).update({name: begin[name] for name in ("agent_pos", "agent_dir", "carrying", "step_count")})
        env.grid.grid = list(begin["cells"])
        _, reward, terminated, _, _ = env.step(action)
        outcome = (SUCCESS if reward else FAILURE) if terminated else CONTINUES
        made[action] = outcome, scene_of(env, state.parameters[0].tolist(), np.empty(0), {})
    return [made[action] for action in Actions]


def test_every_family_has_a_graph_that_minigrid_made_too_or_is_named() -> None:
    too_large = {"blockedunlockpickup", "lockedroom", "playground"}
    modules = {load_env_creator(str(gymnasium.spec(env_id).entry_point)).__module__ for env_id in twin_ids()}
    names = {module.rpartition(".")[2].removesuffix("_v1") for module in modules}
    assert {*SMALL, *too_large} == names


def test_states_are_distinct_and_moves_lead_to_what_a_step_makes() -> None:
    found = enumerate_states(draw_layouts("MiniGrid-DoorKey-5x5-v0", range(2)))
    keys = state_keys(found.states)
    assert len(set(keys)) == len(keys) == len(found.next_state)
    for action in range(7):
        after, result = step(found.states.clone(), torch.full((len(keys),), action), found.spec)
        reached = [keys[state] if state != NOWHERE else None for state in found.next_state[:, action]]
        made = [None if over else key for key, over in zip(state_keys(after), result.terminated.tolist(), strict=True)]
        assert reached == made


def test_depth_is_the_fewest_steps_from_a_start() -> None:
    found = enumerate_states(draw_layouts("MiniGrid-DoorKey-5x5-v0", [0]))
    depth = np.full(len(found.depth), -1)
    depth[found.start] = 0
    frontier = list(found.start)
    while frontier:
        state = frontier.pop(0)
        for after in found.next_state[state][found.outcome[state] == CONTINUES]:
            if depth[after] < 0:
                depth[after] = depth[state] + 1
                frontier.append(after)
    assert np.array_equal(found.depth, depth)


def test_starts_that_coincide_are_merged() -> None:
    found = enumerate_states(draw_layouts("MiniGrid-Empty-5x5-v0", range(4)))
    assert found.start.tolist() == [0]
    assert found.start_probability.tolist() == [1.0]


def test_too_many_states_are_refused() -> None:
    with pytest.raises(ValueError, match=r"MiniGrid-DoorKey-5x5-v0 has more than 50 states from these layouts"):
        enumerate_states(draw_layouts("MiniGrid-DoorKey-5x5-v0", [0]), max_states=50)


@pytest.mark.parametrize("env_id", ["MiniGrid-DoorKey-5x5-v0", "MiniGrid-KeyCorridorS3R1-v0", "MiniGrid-Unlock-v0"])
def test_worlds_of_other_families_have_graphs_too(env_id: str) -> None:
    assert env_id in twin_ids()
    graph = layout_graph(draw_layouts(env_id, [1]))
    assert (graph.steps_to_success[graph.start] > 0).all()
    assert graph.facts.shape == (graph.n_states, len(graph.fact_names))


# ------------------------------------------------------------------------------ whether a state can come about


def test_every_state_of_a_world_is_reached_at_its_depth() -> None:
    found = enumerate_states(exhaustive_layouts("MiniGrid-MemoryS7FixedStart-v0"))
    assert np.array_equal(steps_to_reach(found, found.states), found.depth)


def test_a_moved_key_is_reachable_where_keys_can_be_carried_and_nowhere_else() -> None:
    steps = []
    for env_id in ("MiniGrid-MemoryS7FixedStart-v0", "MiniGrid-MemoryS7FixedStartStatic-v0"):
        layouts = exhaustive_layouts(env_id)
        moved = edited(layouts.start[torch.tensor([0])], Move(1, 2, 2, 2), layouts.spec)
        steps.append(int(steps_to_reach(enumerate_states(layouts), moved)[0]))
    assert steps[0] > 0
    assert steps[1] == UNREACHABLE


def test_a_colour_that_the_world_does_not_have_is_out_of_reach() -> None:
    layouts = draw_layouts("MiniGrid-DoorKey-5x5-v0", [0])
    found = enumerate_states(layouts)
    state = found.states[torch.tensor([0])]
    key = next((x, y) for x in range(5) for y in range(5) if _is_key(state, layouts.spec.cell(x, y)))
    assert steps_to_reach(found, edited(state, Recolour(*key, "red"), layouts.spec)).tolist() == [UNREACHABLE]
    free = next(cell for cell in range(25) if int(state.grid[0, cell]) == 1 and cell != int(state.position))
    place = Place(*layouts.spec.place(free), Thing("ball", "red"))
    assert steps_to_reach(found, edited(state, place, layouts.spec)).tolist() == [UNREACHABLE]


def _is_key(state: State, cell: int) -> bool:
    return (int(state.grid[0, cell]) & 255) == 5


def test_states_of_another_size_are_refused() -> None:
    found = enumerate_states(draw_layouts("MiniGrid-Empty-5x5-v0", [0]))
    with pytest.raises(ValueError, match=r"The states have 36 cells; those of MiniGrid-Empty-5x5-v0 have 25"):
        steps_to_reach(found, draw_layouts("MiniGrid-Empty-6x6-v0", [0]).start)


def test_what_takes_longer_than_the_time_limit_is_out_of_reach() -> None:
    """A world with a longer limit has the same states, and says how far each of them is."""
    hasty, patient = (
        enumerate_states(draw_layouts("MiniGrid-DoorKey-5x5-v0", [0], max_steps=max_steps)) for max_steps in (20, 250)
    )
    depth = steps_to_reach(patient, hasty.states)
    assert depth.max() > 20
    assert np.array_equal(steps_to_reach(hasty, hasty.states), np.where(depth < 20, depth, UNREACHABLE))


# --------------------------------------------------------------------------------------- numbers of distinct rows


def test_equal_rows_share_a_number() -> None:
    rows = np.random.default_rng(0).integers(0, 2, (60, 2, 2))
    numbers = number_rows(rows)
    for first, second in np.ndindex(60, 60):
        assert (numbers[first] == numbers[second]) == np.array_equal(rows[first], rows[second])


def test_numbers_follow_first_appearance() -> None:
    assert number_rows(np.array([[7], [3], [7], [9], [3]])).tolist() == [0, 1, 0, 2, 1]


def test_numbering_numbers_changes_nothing() -> None:
    numbers = number_rows(np.random.default_rng(1).integers(0, 5, (40, 1)))
    assert np.array_equal(number_rows(numbers[:, None]), numbers)


def test_rows_may_lie_apart_in_memory() -> None:
    rows = np.array([[1, 0, 2, 0], [1, 5, 2, 5]])[:, ::2]
    assert number_rows(rows).tolist() == [0, 0]
