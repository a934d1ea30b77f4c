import json

import pytest
import torch

from dtinterp.agents.network import AgentPolicy
from dtinterp.agents.ppo import AgentConfig, train_agent
from dtinterp.demonstrations.evaluate import evaluate
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import Logbook
from environments.vocabulary import one_hot
from environments.worlds import GraphWorlds

TINY = AgentConfig(steps=4 * 8 * 3, n_worlds=8, n_rollout=4, d_hidden=8, n_minibatches=2)


def test_it_learns_to_act_on_what_it_saw_before(recall):
    config = AgentConfig(
        steps=64 * 8 * 40, n_worlds=64, n_rollout=8, d_hidden=16, n_minibatches=2, learning_rate=1e-2, discount=0.9
    )
    network = train_agent(recall, config, Logbook())
    policy = AgentPolicy(network, one_hot(recall.frames))
    judged = evaluate(policy, recall, Greedy(), generator=torch.Generator().manual_seed(1))
    assert judged.success.estimate == 1.0


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
