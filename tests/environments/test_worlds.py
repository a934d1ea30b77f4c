"""Worlds that look up a graph, against MiniGrid stepped one environment at a time."""

from dataclasses import replace
from typing import cast

import gymnasium
import numpy as np
import pytest
import torch
from minigrid.core.constants import OBJECT_TO_IDX
from minigrid.envs.memory import MemoryEnv

from environments.families.memory import MEMORY_FACTS
from environments.graph.enumeration import CONTINUES, FAILURE, SUCCESS
from environments.graph.shortest import optimal_actions, steps_to_success
from environments.graph.state_graph import StateGraph, state_graph
from environments.worlds import N_DRAWN_STARTS, GraphWorlds, Worlds
from tests.environments.wanderer import facts_of

MOVABLE = "MiniGrid-MemoryS7FixedStart-v0"
STATIC = "MiniGrid-MemoryS7FixedStartStatic-v0"
RANDOM_DIRECTION = "MiniGrid-MemoryS7RandomDirection-v0"
UPSTREAM = "MiniGrid-MemoryS7-v0"
RANDOM_LENGTH = "MiniGrid-MemoryS13Random-v0"
DONE = 6


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _worlds(env_id: str, n_worlds: int, seed: int = 0) -> GraphWorlds:
    return GraphWorlds(state_graph(env_id), n_worlds, generator=_generator(seed))


def _ways_to(target: int, graph: StateGraph) -> torch.Tensor:
    """Return whether each action of each state begins a shortest way to this outcome."""
    others = np.where(graph.outcome == CONTINUES, CONTINUES, FAILURE)
    outcome = np.where(graph.outcome == target, SUCCESS, others).astype(np.int8)
    steps = steps_to_success(graph.next_state, outcome)
    return torch.tensor(optimal_actions(graph.next_state, outcome, steps=steps))


class Wanderer:
    """Acts at random in the first world, with ever more purpose after: even worlds seek success, odd ones failure."""

    def __init__(self, graph: StateGraph, seed: int) -> None:
        self._ways = torch.stack([_ways_to(SUCCESS, graph), _ways_to(FAILURE, graph)])  # aim state action
        self._generator = _generator(seed)

    def act(self, worlds: GraphWorlds) -> torch.Tensor:
        aim = torch.arange(worlds.n_worlds) % 2
        sought = torch.multinomial(self._ways[aim, worlds.state].float(), 1, generator=self._generator)[:, 0]
        aimless = torch.randint(0, 7, sought.shape, generator=self._generator)
        purpose = torch.linspace(0, 0.9, worlds.n_worlds)
        return torch.where(torch.rand(sought.shape, generator=self._generator) < purpose, sought, aimless)


def _overview(env: MemoryEnv) -> bytes:
    overview = env.grid.encode()
    overview[int(env.agent_pos[0]), int(env.agent_pos[1])] = (OBJECT_TO_IDX["agent"], 0, env.agent_dir)
    return overview.tobytes()


def _seed_of_each_start(graph: StateGraph, env: MemoryEnv) -> dict[int, int]:
    """For each start of the graph, a seed from which MiniGrid makes it."""
    start_of_overview = {graph.overview[start].tobytes(): int(start) for start in graph.start}
    seeds: dict[int, int] = {}
    for seed in range(3_000):
        env.reset(seed=seed)
        seeds[start_of_overview[_overview(env)]] = seed
        if len(seeds) == len(graph.start):
            break
    return seeds


@pytest.mark.parametrize(
    ("env_id", "max_steps"),
    [
        (MOVABLE, 50),
        (MOVABLE, 6),
        (STATIC, 50),
        (RANDOM_DIRECTION, 50),
        (UPSTREAM, 245),
        (UPSTREAM, 1),
        (RANDOM_LENGTH, 20),
    ],
)
def test_worlds_step_exactly_as_minigrid_does(env_id: str, max_steps: int) -> None:
    graph = replace(state_graph(env_id), max_steps=max_steps)
    worlds = GraphWorlds(graph, 5, generator=_generator(1))
    environments = [
        cast(MemoryEnv, gymnasium.make(env_id, disable_env_checker=True, max_steps=max_steps).unwrapped)
        for _ in range(worlds.n_worlds)
    ]
    seeds = _seed_of_each_start(graph, environments[0])
    shown = worlds.frames[worlds.reset()].numpy()
    for world, env in enumerate(environments):
        observation, _ = env.reset(seed=seeds[int(worlds.state[world])])
        assert np.array_equal(shown[world], observation["image"])
    wanderer = Wanderer(graph, seed=2)
    for _ in range(120):
        action = wanderer.act(worlds)
        outcome = worlds.step(action)
        facts = worlds.facts()
        for world, env in enumerate(environments):
            observation, reward, terminated, truncated, _ = env.step(int(action[world]))
            assert outcome.reward[world].item() == np.float32(reward)
            assert outcome.terminated[world].item() == terminated
            assert outcome.truncated[world].item() == truncated
            assert outcome.success[world].item() == (float(reward) > 0)
            if terminated or truncated:
                observation, _ = env.reset(seed=seeds[int(worlds.state[world])])
            assert np.array_equal(worlds.frames[outcome.frame_id[world]].numpy(), observation["image"])
            assert facts[world].tolist() == [*facts_of(env)[:-1].tolist(), env.step_count]


def test_that_comparison_meets_success_failure_and_the_time_limit() -> None:
    worlds, wanderer = _worlds(MOVABLE, 5, seed=1), Wanderer(state_graph(MOVABLE), seed=2)
    outcomes = [worlds.step(wanderer.act(worlds)) for _ in range(120)]
    assert any(outcome.success.any() for outcome in outcomes)
    assert any((outcome.terminated & ~outcome.success).any() for outcome in outcomes)
    assert any((outcome.truncated & ~outcome.terminated).any() for outcome in outcomes)


def test_the_best_path_returns_0_892_in_every_world() -> None:
    worlds = _worlds(MOVABLE, 32)
    turn = worlds.facts()[:, MEMORY_FACTS.index("correct_turn")].long()
    forward = torch.full_like(turn, 2)
    *_, last = [worlds.step(action) for action in (*[forward] * 4, turn, forward)]
    torch.testing.assert_close(last.reward, torch.full((32,), 0.892))
    assert last.success.all()


def _starts_met(worlds: GraphWorlds, *, is_optimal: bool, n_episodes: int) -> list[list[int]]:
    """The states in which the first episodes of each world began, under a good or an idle policy."""
    graph = state_graph(worlds.env_id)
    worlds.reset()
    starts = [[int(state)] for state in worlds.state]
    while min(map(len, starts)) < n_episodes:
        best = torch.tensor(graph.optimal.argmax(axis=1))[worlds.state]
        outcome = worlds.step(best if is_optimal else torch.full_like(best, DONE))
        for world in torch.nonzero(outcome.terminated | outcome.truncated)[:, 0].tolist():
            starts[world].append(int(worlds.state[world]))
    return [met[:n_episodes] for met in starts]


def test_two_policies_face_the_same_starts() -> None:
    good = _starts_met(_worlds(UPSTREAM, 8), is_optimal=True, n_episodes=5)
    idle = _starts_met(_worlds(UPSTREAM, 8), is_optimal=False, n_episodes=5)
    assert good == idle
    assert len({tuple(starts) for starts in good}) > 1


def test_resetting_begins_the_same_episodes_again() -> None:
    worlds = _worlds(UPSTREAM, 8)
    first = _starts_met(worlds, is_optimal=True, n_episodes=7)
    assert _starts_met(worlds, is_optimal=True, n_episodes=7) == first


def test_another_seed_draws_other_starts() -> None:
    first, second = (_starts_met(_worlds(UPSTREAM, 8, seed), is_optimal=True, n_episodes=4) for seed in (0, 1))
    assert first != second


def test_starts_repeat_after_those_that_were_drawn() -> None:
    worlds = GraphWorlds(replace(state_graph(UPSTREAM), max_steps=1), 3, generator=_generator(0))
    idle = torch.full((3,), DONE)
    starts = [worlds.state]
    for _ in range(N_DRAWN_STARTS + 20):
        worlds.step(idle)
        starts.append(worlds.state)
    assert torch.equal(torch.stack(starts[:20]), torch.stack(starts[N_DRAWN_STARTS : N_DRAWN_STARTS + 20]))
    assert len({tuple(start.tolist()) for start in starts}) > 100


def test_starts_are_drawn_as_often_as_they_are_likely() -> None:
    graph = state_graph(RANDOM_LENGTH)
    worlds = _worlds(RANDOM_LENGTH, 8_000)
    counts = np.bincount(worlds.state.numpy(), minlength=graph.n_states)[graph.start]
    expected = 8_000 * graph.start_probability
    assert (abs(counts - expected) < 5 * np.sqrt(expected)).all()
    assert counts.sum() == 8_000


def test_frames_are_those_of_the_graph() -> None:
    assert np.array_equal(_worlds(STATIC, 1).frames.numpy(), state_graph(STATIC).frames)


def test_graph_worlds_are_worlds() -> None:
    worlds: Worlds = _worlds(STATIC, 2)
    assert isinstance(worlds, Worlds)
    assert (worlds.env_id, worlds.n_worlds, worlds.n_actions, worlds.max_steps) == (STATIC, 2, 7, 50)
    assert worlds.fact_names == MEMORY_FACTS


@pytest.mark.parametrize("action", [-1, 7])
def test_an_action_that_the_world_does_not_have_is_named(action: int) -> None:
    worlds = _worlds(STATIC, 3)
    with pytest.raises(ValueError, match=rf"An action is {action}; actions are 0 to 6"):
        worlds.step(torch.tensor([0, action, 6]))


def test_no_worlds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"number of worlds is 0; at least 1 is needed"):
        _worlds(STATIC, 0)


def test_worlds_put_aside_go_on_as_if_nothing_had_happened() -> None:
    worlds, other = (GraphWorlds(state_graph(STATIC), 8, generator=_generator(0)) for _ in range(2))
    rng = _generator(1)
    for action in torch.randint(7, (70, 8), generator=rng):
        worlds.step(action)
    other.load_state_dict(worlds.state_dict())
    for action in torch.randint(7, (70, 8), generator=rng):
        ours, theirs = other.step(action), worlds.step(action)
        for one, twin in zip(vars(ours).values(), vars(theirs).values(), strict=True):
            assert torch.equal(one, twin)
        assert torch.equal(other.facts(), worlds.facts())


def test_a_cut_episode_tells_the_frame_that_it_would_have_gone_on_from() -> None:
    graph = state_graph(STATIC)
    worlds = GraphWorlds(graph, 8, generator=_generator(0))
    turn, n_cut = torch.zeros(8, dtype=torch.int64), 0
    for _ in range(2 * worlds.max_steps):
        turned = torch.tensor(graph.frame_id[graph.next_state[worlds.state, 0]], dtype=torch.int64)
        outcome = worlds.step(turn)
        assert outcome.cut_frame_id is not None
        assert torch.equal(outcome.cut_frame_id, torch.where(outcome.truncated, turned, outcome.frame_id))
        n_cut += int(outcome.truncated.sum())
    assert n_cut == 16


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        (torch.full((4,), 2.0), r"The actions are torch\.float32"),
        (torch.full((1,), 2), r"There are 1 actions for 4 worlds"),
        (torch.full((4, 1), 2), r"The actions have shape \(4, 1\)"),
    ],
)
def test_actions_that_are_no_row_of_integers_are_refused(action: torch.Tensor, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        _worlds(STATIC, 4).step(action)


def test_actions_of_any_integer_type_do_the_same() -> None:
    ours, theirs = _worlds(STATIC, 4), _worlds(STATIC, 4)
    for action in (2, 2, 5, 0, 2):
        small = ours.step(torch.full((4,), action, dtype=torch.int8))
        assert torch.equal(small.frame_id, theirs.step(torch.full((4,), action)).frame_id)
