"""Graphs enumerated frontier by frontier, against MiniGrid stepped state by state."""

from typing import cast

import gymnasium
import numpy as np
import pytest
import torch
from minigrid.envs.memory import MemoryEnv

from environments.batched.dynamics import step
from environments.batched.families import TWIN_IDS
from environments.batched.layouts import draw_layouts
from environments.graph.enumeration import enumerate_states, state_keys
from environments.graph.exploration import CONTINUES, NOWHERE, explore
from environments.graph.starts import exhaustive_layouts
from environments.graph.state_graph import layout_graph

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
    places = [(direction, divmod(position, found.setting.height)) for direction, position in poses]
    assert places == [(situation.direction, situation.position) for situation in stepped.situations]


def test_states_are_distinct_and_moves_lead_to_what_a_step_makes() -> None:
    found = enumerate_states(draw_layouts("MiniGrid-DoorKey-5x5-v0", range(2)))
    keys = state_keys(found.states)
    assert len(set(keys)) == len(keys) == len(found.next_state)
    for action in range(7):
        after, verdict = step(found.states.clone(), torch.full((len(keys),), action), found.setting)
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
