"""The state graph: the known answers about each world, and agreement with long walks in MiniGrid."""

from dataclasses import replace
from typing import cast

import gymnasium
import numpy as np
import pytest
import torch
from minigrid.core.constants import OBJECT_TO_IDX
from minigrid.envs.memory import MemoryEnv

from environments.families.memory import MEMORY_FACTS
from environments.graph.enumeration import NOWHERE, SUCCESS
from environments.graph.state_graph import StateGraph, state_graph
from environments.vocabulary import one_hot

MOVABLE = "MiniGrid-MemoryS7FixedStart-v0"
STATIC = "MiniGrid-MemoryS7FixedStartStatic-v0"
RANDOM_DIRECTION = "MiniGrid-MemoryS7RandomDirection-v0"
UPSTREAM = "MiniGrid-MemoryS7-v0"
RANDOM_LENGTH = "MiniGrid-MemoryS13Random-v0"


@pytest.mark.parametrize(
    ("env_id", "n_states", "n_frames", "rank", "n_active_items"),
    [
        (MOVABLE, 4 * 572, 1154, 104, 359),
        (RANDOM_DIRECTION, 4 * 572, 1154, 104, 359),
        (STATIC, 160, 96, 66, 334),
        (UPSTREAM, 160, 96, 66, 334),
    ],
)
def test_the_world_has_its_known_size(
    env_id: str, n_states: int, n_frames: int, rank: int, n_active_items: int
) -> None:
    graph = state_graph(env_id)
    vectors = one_hot(torch.tensor(graph.frames))
    assert graph.n_states == n_states
    assert graph.n_actions == 7
    assert len(graph.frames) == n_frames
    assert torch.linalg.matrix_rank(vectors) == rank
    assert vectors.any(dim=0).sum() == n_active_items


@pytest.mark.parametrize(("env_id", "max_steps"), [(MOVABLE, 50), (STATIC, 50), (UPSTREAM, 245)])
def test_the_graph_knows_its_id_and_time_limit(env_id: str, max_steps: int) -> None:
    assert state_graph(env_id).env_id == env_id
    assert state_graph(env_id).max_steps == max_steps


@pytest.mark.parametrize(("env_id", "n_starts"), [(MOVABLE, 4), (STATIC, 4), (UPSTREAM, 16), (RANDOM_DIRECTION, 64)])
def test_starts_are_equally_likely_where_the_hallway_has_one_length(env_id: str, n_starts: int) -> None:
    np.testing.assert_allclose(state_graph(env_id).start_probability, np.full(n_starts, 1 / n_starts))


@pytest.mark.parametrize("env_id", [MOVABLE, STATIC])
def test_six_actions_lead_from_every_start_to_success(env_id: str) -> None:
    graph = state_graph(env_id)
    assert graph.steps_to_success[graph.start].tolist() == [6, 6, 6, 6]


@pytest.mark.parametrize("env_id", [MOVABLE, STATIC])
def test_the_only_best_way_is_four_forwards_then_the_correct_turn(env_id: str) -> None:
    graph = state_graph(env_id)
    for start in graph.start:
        state, turn = start, graph.facts[start, MEMORY_FACTS.index("correct_turn")]
        for action in (2, 2, 2, 2, turn, 2):
            assert np.flatnonzero(graph.optimal[state]).tolist() == [action]
            last, state = state, graph.next_state[state, action]
        assert (graph.outcome[last, 2], state) == (SUCCESS, NOWHERE)


def _matching_state(graph: StateGraph, env: MemoryEnv) -> int:
    """The start that looks as the environment does from above."""
    starts = [start for start in graph.start if np.array_equal(graph.overview[start], _overview(env))]
    assert len(starts) == 1
    return int(starts[0])


def _overview(env: MemoryEnv) -> np.ndarray:
    overview = env.grid.encode()
    overview[int(env.agent_pos[0]), int(env.agent_pos[1])] = (OBJECT_TO_IDX["agent"], 0, env.agent_dir)
    return overview


@pytest.mark.parametrize("env_id", [MOVABLE, RANDOM_DIRECTION, UPSTREAM, RANDOM_LENGTH])
@pytest.mark.parametrize("seed", range(8))
def test_a_walk_in_the_graph_is_a_walk_in_minigrid(env_id: str, seed: int) -> None:
    graph = state_graph(env_id)
    env = cast(MemoryEnv, gymnasium.make(env_id, disable_env_checker=True, max_steps=10_000).unwrapped)
    observation, _ = env.reset(seed=seed)
    state = _matching_state(graph, env)
    for action in np.random.default_rng(seed).choice(7, size=200, p=[0.15, 0.15, 0.35, 0.15, 0.1, 0.05, 0.05]):
        assert np.array_equal(graph.frames[graph.frame_id[state]], observation["image"])
        assert np.array_equal(graph.overview[state], _overview(env))
        carried = ["nothing", "key", "ball"][graph.facts[state, MEMORY_FACTS.index("carrying")]]
        assert carried == ("nothing" if env.carrying is None else env.carrying.type)
        observation, reward, terminated, _, _ = env.step(int(action))
        assert graph.outcome[state, action] == (0 if not terminated else 1 if reward else 2)
        state = graph.next_state[state, action]
        assert (state == NOWHERE) == terminated
        if terminated:
            break


def test_frames_are_distinct_and_numbered_in_order_of_discovery() -> None:
    graph = state_graph(MOVABLE)
    assert len(np.unique(graph.frames, axis=0)) == len(graph.frames)
    numbers, first_state = np.unique(graph.frame_id, return_index=True)
    assert np.array_equal(numbers, np.arange(len(graph.frames)))
    assert (np.diff(first_state) > 0).all()


def test_time_is_left_to_the_worlds() -> None:
    assert not state_graph(STATIC).facts[:, MEMORY_FACTS.index("time")].any()


def test_a_graph_is_enumerated_once() -> None:
    assert state_graph(STATIC) is state_graph(STATIC)


def test_a_graph_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        state_graph(STATIC).frames[0] = 0


def test_an_unsupported_id_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"'MiniGrid-Memory-v9' is not supported; choose one of MiniGrid-MemoryS7Fixed"
    ):
        state_graph("MiniGrid-Memory-v9")


def test_a_graph_in_which_an_end_leads_somewhere_is_refused() -> None:
    graph = state_graph(STATIC)
    with pytest.raises(ValueError, match=r"both ends the episode and leads somewhere"):
        replace(graph, next_state=np.zeros_like(graph.next_state))


def test_starts_that_are_not_a_distribution_are_refused() -> None:
    graph = state_graph(STATIC)
    with pytest.raises(ValueError, match=r"total probability 2\.0, not 1"):
        replace(graph, start_probability=graph.start_probability * 2)
