import json

import pytest
import torch

from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import AgentPolicy, RecurrentActorCritic
from dtinterp.agents.ppo import AgentConfig, _loss, train_agent
from dtinterp.agents.rollout import Runner
from dtinterp.demonstrations.evaluate import evaluate
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import Logbook
from environments.worlds import GraphWorlds

TINY = AgentConfig(steps=4 * 8 * 3, n_worlds=8, n_rollout=4, d_hidden=8, n_minibatches=2)


def test_it_learns_to_act_on_what_it_saw_before(recall):
    config = AgentConfig(
        steps=64 * 8 * 60, n_worlds=64, n_rollout=8, d_hidden=16, n_minibatches=2, learning_rate=5e-3, discount=0.9
    )
    network = train_agent(recall, config, Logbook())
    policy = AgentPolicy(network, FrameItems(recall))
    judged = evaluate(policy, recall, Greedy(), generator=torch.Generator().manual_seed(1))
    assert judged.success.estimate == 1.0


@pytest.fixture
def under_way(graph):
    """A rollout that begins in the middle of episodes, and the network that made it."""
    rng = torch.Generator().manual_seed(0)
    network = RecurrentActorCritic(n_items=980, n_actions=7, d_hidden=8, generator=rng)
    with torch.no_grad():
        network.policy_head.weight.normal_(std=0.7, generator=rng)
    runner = Runner(network, GraphWorlds(graph, 8, generator=rng), rng)
    runner.roll(5)
    return network, runner.roll(60), runner.items.table


def slow_loss(network, rollout, advantage, items, group):
    """Equation 9, one step of one world at a time."""
    config = TINY
    gains = advantage[:, group].flatten()
    policy, value, entropy = [], [], []
    for world in group.tolist():
        hidden = rollout.hidden[world : world + 1]
        for step in range(len(rollout.action)):
            gates = network.gates(items[rollout.frame_id[step, world]][None])
            hidden = network.advance(gates, rollout.is_first[step, world][None], hidden)
            chances = torch.softmax(network.policy_head(hidden)[0], dim=-1)
            ratio = chances[rollout.action[step, world]] / rollout.log_prob[step, world].exp()
            gain = (advantage[step, world] - gains.mean()) / gains.std()
            policy.append(min(ratio * gain, ratio.clamp(1 - config.clip, 1 + config.clip) * gain))
            target = advantage[step, world] + rollout.value[step, world]
            value.append((network.value_head(hidden)[0, 0] - target) ** 2)
            entropy.append(-(chances * chances.log()).sum())
    means = [torch.stack(each).mean() for each in (policy, value, entropy)]
    return -means[0] + config.value_weight * means[1] - config.entropy * means[2]


@torch.no_grad()
@pytest.mark.parametrize("drift", [0.0, 0.3])
def test_the_loss_is_that_of_a_slow_loop_before_and_after_the_policy_moves(under_way, drift):
    network, rollout, items = under_way
    rng = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.add_(drift * torch.randn(parameter.shape, generator=rng))
    advantage, group = torch.randn(60, 8, generator=rng), torch.tensor([6, 1, 3])
    ours = _loss(network, rollout, advantage, items=items, group=group, config=TINY)
    torch.testing.assert_close(ours, slow_loss(network, rollout, advantage, items, group), atol=1e-5, rtol=1e-4)


def trained(graph, config):
    worlds = GraphWorlds(graph, config.n_worlds, generator=torch.Generator().manual_seed(0))
    network = train_agent(worlds, config, Logbook())
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_one_seed_gives_the_same_bits_and_another_seed_others(graph):
    assert torch.equal(trained(graph, TINY), trained(graph, TINY))
    other = AgentConfig(**{**vars(TINY), "seed": 1})
    assert not torch.isclose(trained(graph, TINY), trained(graph, other)).all()


def test_the_log_has_a_row_per_update(graph, tmp_path):
    worlds = GraphWorlds(graph, TINY.n_worlds, generator=torch.Generator().manual_seed(0))
    train_agent(worlds, TINY, Logbook(tmp_path / "log.jsonl"))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["steps"] for row in rows] == [32, 64, 96]
    assert all(0 <= row["success"] <= 1 for row in rows)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"n_worlds": 10, "n_minibatches": 4},
            "n_worlds is 10, expected a multiple of n_minibatches, 4",
        ),
        (
            {"n_worlds": 4, "n_rollout": 1, "steps": 8},
            "n_rollout is 1, expected at least 2",
        ),
        ({"steps": 100}, "steps is 100, expected at least one rollout, 16384: ask for more steps"),
        ({"n_minibatches": 0}, "n_minibatches is 0, expected at least 1"),
        ({"n_worlds": 0}, "n_worlds is 0, expected at least 1"),
        ({"discount": 1.5}, "discount is 1.5, expected a number from 0 to 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, expected a number above 0"),
        ({"entropy": -0.1}, "entropy is -0.1, expected at least 0"),
    ],
)
def test_what_cannot_be_run_is_refused(change, sentence):
    with pytest.raises(UserError, match=sentence):
        AgentConfig(**change)
