"""The twin behind the worlds' protocol, against worlds that look up a graph."""

import numpy as np
import pytest
import torch

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import AgentPolicy
from dtinterp.agents.training import train_agent
from dtinterp.demonstrations.collect import Share, collect
from dtinterp.demonstrations.samplers import Temperature
from dtinterp.foundation.jobs.interruption import TrainingRecord
from environments.graph.starts import exhaustive_layouts
from environments.graph.state_graph import state_graph
from environments.grid.observation import observe
from environments.grid.observation import overview as look_from_above
from environments.twin.dynamics import step as step_once
from environments.twin.layouts import draw_layouts
from environments.twin_worlds import SINCE_TARGET, TwinWorlds
from environments.worlds import GraphWorlds, Worlds

MOVABLE = "MiniGrid-MemoryS7FixedStart-v0"


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _twin(env_id: str = MOVABLE, n_worlds: int = 32, *, explore: bool = False) -> TwinWorlds:
    return TwinWorlds(exhaustive_layouts(env_id), n_worlds, generator=_generator(), explore=explore)


@pytest.mark.parametrize("env_id", [MOVABLE, "MiniGrid-MemoryS9-v0"])
def test_the_twin_walks_as_the_graph_does(env_id: str) -> None:
    graph, twin = state_graph(env_id), _twin(env_id)
    rows = zip(graph.overview, graph.facts, strict=True)
    state_of_overview = {overview.tobytes() + facts.tobytes(): state for state, (overview, facts) in enumerate(rows)}
    assert len(state_of_overview) == graph.n_states

    def states() -> np.ndarray:
        pictures = look_from_above(twin.state, twin.episodes.spec).numpy()
        facts = twin.facts().numpy()[:, [name != SINCE_TARGET for name in twin.fact_names]]
        facts[:, -1] = 0
        return np.array([state_of_overview[a.tobytes() + b.tobytes()] for a, b in zip(pictures, facts, strict=True)])

    rng = np.random.default_rng(0)
    state, frame_id = states(), twin.reset()
    for _ in range(80):
        assert np.array_equal(twin.frames[frame_id].numpy(), graph.frames[graph.frame_id[state]])
        action = rng.choice(7, size=twin.n_worlds, p=[0.15, 0.1, 0.4, 0.1, 0.1, 0.1, 0.05])
        outcome = twin.step(torch.tensor(action))
        assert np.array_equal(outcome.terminated.numpy(), graph.outcome[state, action] > 0)
        assert np.array_equal(outcome.success.numpy(), graph.outcome[state, action] == 1)
        after, frame_id = states(), outcome.frame_id
        goes_on = ~(outcome.terminated | outcome.truncated).numpy()
        assert np.array_equal(after[goes_on], graph.next_state[state, action][goes_on])
        assert np.isin(after[~goes_on], graph.start).all()
        state = after


def test_both_kinds_of_worlds_keep_the_protocol() -> None:
    assert isinstance(_twin(), Worlds)
    assert isinstance(GraphWorlds(state_graph(MOVABLE), 2, generator=_generator()), Worlds)


def test_explored_worlds_know_every_frame_from_the_start() -> None:
    twin, rng = _twin(explore=True), np.random.default_rng(1)
    frames = twin.frames
    assert len(frames) == len(state_graph(MOVABLE).frames) == 1154
    for _ in range(60):
        twin.step(torch.tensor(rng.integers(0, 7, twin.n_worlds)))
    assert twin.frames is frames


def test_unexplored_worlds_learn_frames_as_they_go() -> None:
    twin, rng = _twin(), np.random.default_rng(1)
    sizes = [len(twin.frames)]
    for _ in range(60):
        frame_id = twin.step(torch.tensor(rng.integers(0, 7, twin.n_worlds))).frame_id
        sizes.append(len(twin.frames))
        assert frame_id.max() < sizes[-1]
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_the_instruction_was_seen_as_many_steps_ago_as_a_slow_count_says() -> None:
    twin, rng = _twin("MiniGrid-MemoryS9-v0", 40), np.random.default_rng(2)
    since, visible, time = (twin.fact_names.index(name) for name in (SINCE_TARGET, "instruction_visible", "time"))
    count = np.full(40, -1)
    for _ in range(120):
        facts = twin.facts().numpy()
        count = np.where(facts[:, time] == 0, -1, np.where(count >= 0, count + 1, -1))
        count = np.where(facts[:, visible] > 0, 0, count)
        assert np.array_equal(facts[:, since], count)
        twin.step(torch.tensor(rng.choice(7, size=40, p=[0.2, 0.2, 0.6, 0, 0, 0, 0])))
    assert count.max() > 3


def test_reset_goes_back_to_the_same_first_episodes() -> None:
    twin, rng = _twin(), np.random.default_rng(3)
    first = twin.frames[twin.reset()]
    for _ in range(20):
        twin.step(torch.tensor(rng.integers(0, 7, twin.n_worlds)))
    assert torch.equal(twin.frames[twin.reset()], first)
    assert not twin.facts()[:, -1].any()


def test_worlds_beyond_the_memory_family_run_too() -> None:
    twin = TwinWorlds(draw_layouts("MiniGrid-DoorKey-6x6-v0", range(8)), 16, generator=_generator())
    rng = np.random.default_rng(0)
    frame_id = twin.reset()
    for _ in range(30):
        frame_id = twin.step(torch.tensor(rng.integers(0, 7, 16))).frame_id
    assert twin.frames[frame_id].shape == (16, 7, 7, 3)
    assert twin.facts().shape == (16, len(twin.fact_names))


def test_an_action_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"An action is 7; actions are 0 to 6"):
        _twin(n_worlds=2).step(torch.tensor([0, 7]))


@pytest.mark.parametrize("env_id", [MOVABLE, "MiniGrid-MemoryS9-v0"])
def test_agents_and_demonstrations_run_on_the_twin_as_they_run_on_a_graph(env_id: str) -> None:
    """Frames may be numbered differently, so what is compared are the episodes themselves."""
    config = AgentConfig(env_id=env_id, steps=2 * 16 * 8, n_worlds=16, n_rollout=8, d_hidden=16)
    worlds = _twin(env_id, 16, explore=True)
    network = train_agent(worlds, config, TrainingRecord()).network
    policy = AgentPolicy(network, FrameItems(worlds))
    shares = [Share(Temperature(1.0), 16 * worlds.max_steps)]
    trajectories = collect(policy, worlds, shares, torch.Generator().manual_seed(0))
    assert trajectories.fact_names == worlds.fact_names
    assert len(trajectories.length) >= 16
    graph = state_graph(env_id)
    known = {frame.tobytes() for frame in graph.frames}
    assert {frame.tobytes() for frame in trajectories.frames.numpy()} <= known
    assert trajectories.length.max() <= worlds.max_steps


def test_a_cut_episode_tells_the_frame_that_it_would_have_gone_on_from() -> None:
    """Every world shows, at its time limit, what one that has no limit yet shows after the same actions."""
    twin, rng = _twin(n_worlds=64), np.random.default_rng(2)
    first, n_cut = twin.reset(), 0
    for step in range(1, 101):
        graph_free = twin.state.clone()
        action = torch.tensor(rng.choice(7, size=64, p=[0.4, 0.4, 0.02, 0.06, 0.06, 0.06, 0.0]))
        outcome = twin.step(action)
        is_cut = outcome.truncated & ~outcome.terminated
        assert outcome.cut_frame_id is not None
        assert torch.equal(outcome.cut_frame_id[~is_cut], outcome.frame_id[~is_cut])
        graph_free.time.zero_()
        moved, _ = step_once(graph_free, action, twin.episodes.spec)
        shown = observe(moved, twin.episodes.spec)
        assert torch.equal(twin.frames[outcome.cut_frame_id][is_cut], shown[is_cut])
        n_cut += int(is_cut.sum())
        assert is_cut.any() <= (step >= twin.max_steps)
    assert n_cut > 64
    assert first.shape == (64,)


@pytest.mark.parametrize("explore", [False, True])
def test_worlds_put_aside_go_on_as_if_nothing_had_happened(*, explore: bool) -> None:
    worlds, other, rng = _twin(explore=explore), _twin(explore=explore), np.random.default_rng(3)
    for _ in range(70):
        worlds.step(torch.tensor(rng.integers(0, 7, 32)))
    state = worlds.state_dict()
    actions = torch.tensor(rng.integers(0, 7, (70, 32)))
    expected = [(worlds.step(action), worlds.facts()) for action in actions]
    other.load_state_dict(state)
    for action, (outcome, facts) in zip(actions, expected, strict=True):
        ours = other.step(action)
        assert all(
            torch.equal(one, twin) for one, twin in zip(vars(ours).values(), vars(outcome).values(), strict=True)
        )
        assert torch.equal(other.facts(), facts)
    assert torch.equal(other.frames, worlds.frames)


@pytest.mark.parametrize("action", [torch.full((2,), 2.0), torch.full((3,), 2), torch.full((2, 1), 2)])
def test_actions_that_are_no_row_of_integers_are_refused(action: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"actions"):
        _twin(n_worlds=2).step(action)


def test_a_state_that_is_put_in_brings_no_memory_of_the_target() -> None:
    twin, rng = _twin("MiniGrid-MemoryS9-v0", 40), np.random.default_rng(2)
    since, visible = (twin.fact_names.index(name) for name in (SINCE_TARGET, "instruction_visible"))
    kept, episode = twin.state.clone(), twin.episodes.episode.clone()
    first, facts = twin.frames[twin.reset()], twin.facts()
    for _ in range(30):
        twin.step(torch.tensor(rng.choice(7, size=40, p=[0.2, 0.2, 0.6, 0, 0, 0, 0])))
    later = twin.state.clone()
    assert torch.equal(twin.frames[twin.put(kept, episode=episode)], first)
    assert torch.equal(twin.facts(), facts)
    twin.put(later)
    is_visible = twin.facts()[:, visible] > 0
    assert torch.equal(twin.facts()[:, since], torch.where(is_visible, 0, -1).to(torch.int16))
    assert 0 < is_visible.sum() < 40
