"""Exact expectations, against episodes that were really played."""

from dataclasses import replace

import pytest
import torch

from dtinterp.agents.items import FrameItems
from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import window
from dtinterp.demonstrations.evaluate import play_episodes
from dtinterp.demonstrations.samplers import Greedy, Temperature, TopKActions
from dtinterp.interventions.returns.expectation import (
    Altered,
    Bounds,
    evaluation_of,
    expectation,
    expectations,
    windows_of,
)
from dtinterp.model.policy import WindowPolicy
from environments.graph.evaluation import PAD, SeenWindows
from environments.graph.state_graph import state_graph
from environments.worlds import GraphWorlds

STATIC = "MiniGrid-MemoryS7FixedStartStatic-v0"


def test_a_greedy_model_earns_what_it_earns_from_each_start(planted_model):
    graph = state_graph(STATIC)
    exact = expectation(planted_model, graph, Greedy(), target_return=0.892)
    assert exact.success == pytest.approx(1)
    assert exact.expected_return == pytest.approx(0.892)


def test_a_model_in_doubt_earns_what_it_earns_on_average(random_model):
    """Two actions at each of a few steps: 4,000 episodes tell the mean within four standard errors."""
    graph = replace(state_graph(STATIC), max_steps=8)
    exact = expectation(random_model, graph, TopKActions(2), target_return=0.5)
    worlds = GraphWorlds(graph, 4000, generator=torch.Generator().manual_seed(0))
    policy = WindowPolicy(random_model, FrameItems(worlds), target_return=0.5)
    played = play_episodes(policy, worlds, TopKActions(2), generator=torch.Generator().manual_seed(1))
    length = played.length.double()
    assert exact.steps == pytest.approx(length.mean().item(), abs=4 * length.std().item() / 4000**0.5 + 1e-9)
    share = exact.failure
    failed = (played.terminated & ~played.success).double().mean().item()
    assert failed == pytest.approx(share, abs=4 * (share * (1 - share) / 4000) ** 0.5 + 1e-3)


def test_a_frame_shown_as_another_is_seen_as_the_other(planted_model):
    """Every start frame shown as the first start's: the model cannot know the instruction, or where the targets lie."""
    graph = state_graph(STATIC)
    substitute = torch.arange(len(graph.frames))
    starts = torch.tensor(graph.frame_id[graph.start]).long()
    substitute[starts] = starts[0]
    blinded = expectation(planted_model, graph, Greedy(), target_return=0.892, altered=Altered(substitute))
    assert blinded.success == pytest.approx(0.5)
    assert blinded.failure == pytest.approx(0.5)


def test_what_goes_on_side_by_side_is_what_each_comes_to_alone(planted_model):
    graph = state_graph(STATIC)
    itself = torch.arange(len(graph.frames))
    starts = torch.tensor(graph.frame_id[graph.start]).long()
    substitutes = [itself, *(itself.index_fill(0, starts, int(start)) for start in starts.unique())]
    found = expectations(planted_model, graph, Greedy(), substitutes, target_return=0.892)
    assert found == [
        expectation(planted_model, graph, Greedy(), target_return=0.892, altered=Altered(each)) for each in substitutes
    ]
    assert len({each.success for each in found}) > 1


def test_showing_every_frame_as_itself_changes_nothing(random_model):
    graph = state_graph(STATIC)
    itself = torch.arange(len(graph.frames))
    plain = expectation(random_model, graph, Greedy(), target_return=0.5)
    assert expectation(random_model, graph, Greedy(), target_return=0.5, altered=Altered(itself)) == plain


def test_the_windows_are_those_of_recorded_episodes(trajectories):
    """Frame and action columns as the graph passes them, rebuilt from a recording step by step."""
    start = int(trajectories.length[:3].sum())
    for length in (1, 4, 10, 14):
        last = start + length - 1
        recorded = window(trajectories, torch.tensor([last]))
        n_real = min(length, 10)
        frames = torch.full((1, 10), PAD)
        came_by = torch.full((1, 10), PAD)
        frames[0, 10 - n_real :] = trajectories.frame_id[last - n_real + 1 : last + 1]
        for slot in range(10 - n_real, 10):
            step = last - (9 - slot)
            came_by[0, slot] = trajectories.action[step - 1] if step > start else PAD
        seen = SeenWindows(frames.int().numpy(), came_by.int().numpy(), length - 1)
        rebuilt = windows_of(seen, target_return=0.5)
        for name in ("frame_id", "time", "mask"):
            assert torch.equal(getattr(rebuilt, name), getattr(recorded, name)), (length, name)
        assert torch.equal(rebuilt.action[:, :-1], recorded.action[:, :-1])
        assert rebuilt.action[0, -1] == PAD_ACTION
        assert torch.equal(rebuilt.rtg, 0.5 * rebuilt.mask)


def test_a_bounded_expectation_becomes_intervals_that_hold_the_exact_one(random_model):
    graph = replace(state_graph(STATIC), max_steps=6)
    exact = expectation(random_model, graph, Temperature(1.0), target_return=0.5)
    bounds = Bounds(n_followed=30, tolerance=1.0)
    bounded = expectation(random_model, graph, Temperature(1.0), target_return=0.5, bounds=bounds)
    judged = evaluation_of(bounded, max_steps=6)
    assert bounded.unfollowed > 0
    assert judged.mean_return.n == 0
    truth = {"success": exact.success, "failure": exact.failure, "timeout": exact.timeout}
    truth |= {"mean_return": exact.expected_return, "mean_length": exact.steps}
    for name, value in truth.items():
        interval = getattr(judged, name)
        assert interval.low - 1e-9 <= value <= interval.high + 1e-9
