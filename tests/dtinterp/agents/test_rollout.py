from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from dtinterp.agents.config import TimeLimit
from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.agents.recurrent_cells import Core
from dtinterp.agents.rollout import Runner
from dtinterp.foundation.errors import UserError
from environments.vocabulary import one_hot
from environments.worlds import GraphWorlds


def runner_of(graph, *, time_limit: TimeLimit = "end", core: Core = "gru") -> Runner:
    rng = torch.Generator().manual_seed(0)
    network = RecurrentActorCritic(n_items=980, n_actions=7, d_hidden=8, generator=rng, core=core)
    with torch.no_grad():
        network.policy_head.weight.normal_(std=0.5, generator=torch.Generator().manual_seed(1))
    worlds = GraphWorlds(graph, 6, generator=torch.Generator().manual_seed(2))
    return Runner(network, worlds, torch.Generator().manual_seed(3), time_limit=time_limit)


@pytest.fixture
def runner(graph):
    return runner_of(graph)


@torch.no_grad()
@pytest.mark.parametrize("core", ["gru", "lstm", "none"])
def test_what_the_update_recomputes_is_what_the_rollout_saw(graph, core):
    runner = runner_of(graph, core=core)
    runner.roll(7)  # so that the second rollout begins in the middle of episodes
    rollout, network = runner.roll(60), runner.network
    states = network.unroll(network.gates(runner.items.table)[rollout.frame_id], rollout.is_first, rollout.memory)
    log_probs = functional.log_softmax(network.policy_head(states), dim=-1)
    torch.testing.assert_close(log_probs.gather(-1, rollout.action[..., None]).squeeze(-1), rollout.log_prob)
    torch.testing.assert_close(network.value_head(states).squeeze(-1), rollout.value)


def test_one_rollout_goes_on_where_the_last_one_stopped(runner):
    first, second = runner.roll(60), runner.roll(60)
    assert torch.equal(second.is_first[0], first.is_last[-1])
    assert torch.equal(second.is_first[1:], second.is_last[:-1])
    torch.testing.assert_close(first.value_after[-1], second.value[0] * ~first.is_last[-1])
    assert first.is_last.any()


def test_what_a_step_led_to_is_worth_what_the_next_row_says_and_nothing_where_the_episode_ended(runner):
    rollout = runner.roll(60)
    following = rollout.value[1:] * ~rollout.is_last[:-1]
    assert torch.equal(rollout.value_after[:-1], following)


@torch.no_grad()
def test_an_episode_that_was_cut_off_is_worth_what_its_last_frame_is(graph):
    rollout, plain = runner_of(graph, time_limit="cut").roll(120), runner_of(graph).roll(120)
    network, frames = runner_of(graph).network, torch.tensor(graph.frames)
    gates = network.gates(one_hot(frames))
    is_cut = rollout.value_after != plain.value_after
    worlds, memory = GraphWorlds(graph, 6, generator=torch.Generator().manual_seed(2)), torch.zeros(6, 8)
    frame_id, is_first, n_cut = worlds.reset(), torch.ones(6, dtype=torch.bool), 0
    for step, action in enumerate(rollout.action):
        memory = network.advance(gates[frame_id], is_first, memory)
        outcome = worlds.step(action)
        cut = outcome.truncated & ~outcome.terminated
        assert torch.equal(is_cut[step], cut)
        last = network.advance(gates[outcome.cut_frame_id], torch.zeros(6, dtype=torch.bool), memory)
        value = network.value_head(last).squeeze(-1)
        torch.testing.assert_close(rollout.value_after[step][cut], value[cut])
        frame_id, is_first, n_cut = outcome.frame_id, outcome.terminated | outcome.truncated, n_cut + int(cut.sum())
    assert n_cut > 0


def test_worlds_that_do_not_tell_how_an_episode_looked_at_the_limit_cannot_be_cut_off(graph, monkeypatch):
    step = GraphWorlds.step
    monkeypatch.setattr(GraphWorlds, "step", lambda *given: replace(step(*given), cut_frame_id=None))
    with pytest.raises(UserError, match="does not tell how episodes look when the time limit cuts them short"):
        runner_of(graph, time_limit="cut").roll(120)
    runner_of(graph).roll(120)


def test_a_runner_put_aside_goes_on_as_if_nothing_had_happened(graph):
    runner, other = runner_of(graph), runner_of(graph)
    runner.roll(13)
    other.load_state_dict(runner.state_dict())
    for one, twin in zip(vars(runner.roll(60)).values(), vars(other.roll(60)).values(), strict=True):
        assert torch.equal(one, twin)


def test_worlds_that_cannot_be_put_aside_are_refused(recall):
    network = RecurrentActorCritic(n_items=980, n_actions=2, d_hidden=8, generator=torch.Generator())
    runner = Runner(network, recall, torch.Generator())
    with pytest.raises(UserError, match="the worlds of Table-v0 cannot be put aside"):
        runner.state_dict()


def test_the_worlds_are_those_that_were_given(runner, graph):
    rollout = runner.roll(60)
    twin = GraphWorlds(graph, 6, generator=torch.Generator().manual_seed(2))
    seen = twin.reset()
    for step, action in enumerate(rollout.action):
        assert torch.equal(rollout.frame_id[step], seen)
        outcome = twin.step(action)
        assert torch.equal(rollout.reward[step], outcome.reward)
        assert torch.equal(rollout.is_last[step], outcome.terminated | outcome.truncated)
        assert torch.equal(rollout.success[step], outcome.success)
        seen = outcome.frame_id
