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

from environments.families.families import TWIN_IDS, make
from environments.graph.enumeration import enumerate_states, state_keys
from environments.graph.exploration import CONTINUES, FAILURE, NOWHERE, SUCCESS, explore
from environments.graph.starts import exhaustive_layouts
from environments.graph.state_graph import layout_graph
from environments.grid.state import State
from environments.twin.dynamics import step
from environments.twin.layouts import draw_layouts, state_of

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
    modules = {load_env_creator(str(gymnasium.spec(env_id).entry_point)).__module__ for env_id in TWIN_IDS}
    names = {module.rpartition(".")[2].removesuffix("_v1") for module in modules}
    assert {*SMALL, *too_large} == names


def test_states_are_distinct_and_moves_lead_to_what_a_step_makes() -> None:
    found = enumerate_states(draw_layouts("MiniGrid-DoorKey-5x5-v0", range(2)))
    keys = state_keys(found.states)
    assert len(set(keys)) == len(keys) == len(found.next_state)
    for action in range(7):
        after, verdict = step(found.states.clone(), torch.full((len(keys),), action), found.spec)
        reached = [keys[state] if state != NOWHERE else None for state in found.next_state[:, action]]
        made = [None if over else key for key, over in zip(state_keys(after), verdict.terminated.tolist(), strict=True)]
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
    assert env_id in TWIN_IDS
    graph = layout_graph(draw_layouts(env_id, [1]))
    assert (graph.steps_to_success[graph.start] > 0).all()
    assert graph.facts.shape == (graph.n_states, len(graph.fact_names))
