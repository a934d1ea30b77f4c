import pytest
import torch
from torch.nn import functional

from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.agents.rollout import Runner
from environments.worlds import GraphWorlds


@pytest.fixture
def runner(graph):
    network = RecurrentActorCritic(n_items=980, n_actions=7, d_hidden=8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.policy_head.weight.normal_(std=0.5, generator=torch.Generator().manual_seed(1))
    worlds = GraphWorlds(graph, 6, generator=torch.Generator().manual_seed(2))
    return Runner(network, worlds, torch.Generator().manual_seed(3))


@torch.no_grad()
def test_what_the_update_recomputes_is_what_the_rollout_saw(runner):
    runner.roll(7)  # so that the second rollout begins in the middle of episodes
    rollout, network = runner.roll(60), runner.network
    states = network.unroll(network.gates(runner.items.table)[rollout.frame_id], rollout.is_first, rollout.hidden)
    log_probs = functional.log_softmax(network.policy_head(states), dim=-1)
    torch.testing.assert_close(log_probs.gather(-1, rollout.action[..., None]).squeeze(-1), rollout.log_prob)
    torch.testing.assert_close(network.value_head(states).squeeze(-1), rollout.value)


def test_one_rollout_goes_on_where_the_last_one_stopped(runner):
    first, second = runner.roll(60), runner.roll(60)
    assert torch.equal(second.is_first[0], first.is_last[-1])
    assert torch.equal(second.is_first[1:], second.is_last[:-1])
    torch.testing.assert_close(first.next_value, second.value[0])
    assert first.is_last.any()


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
