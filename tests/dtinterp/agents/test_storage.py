from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.agents.storage import load_agent, save_agent
from dtinterp.foundation.artefacts.artefact import Content, write_artefact
from dtinterp.foundation.errors import UserError
from tests.limits import little_memory

SHIPPED = Path(__file__).parents[3] / "checkpoints" / "agents" / "memory-movable"
CONFIG = AgentConfig(d_hidden=6, seed=5, learning_rate=0.1)


@pytest.fixture
def network():
    return RecurrentActorCritic(n_items=980, n_actions=7, d_hidden=6, generator=torch.Generator().manual_seed(0))


def test_a_saved_agent_comes_back_to_the_bit(network, tmp_path):
    written = save_agent(tmp_path / "agent", network, CONFIG, metrics={"success": 0.97})
    back = load_agent(tmp_path / "agent")
    assert back.config == CONFIG
    assert back.artefact.manifest == written.manifest
    assert (written.manifest.seed, written.manifest.metrics["success"]) == (5, 0.97)
    assert not back.network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(back.network.state_dict()[name], tensor)


@pytest.mark.parametrize("core", ["gru", "lstm", "none"])
def test_an_agent_comes_back_with_its_core(core, tmp_path):
    rng = torch.Generator().manual_seed(0)
    network = RecurrentActorCritic(n_items=980, n_actions=3, d_hidden=6, generator=rng, core=core)
    save_agent(tmp_path / "agent", network, replace(CONFIG, core=core), metrics={})
    back = load_agent(tmp_path / "agent")
    assert (back.network.core, back.config.core) == (core, core)


def test_an_agent_that_began_as_another_records_it(tmp_path):
    network = RecurrentActorCritic(n_items=980, n_actions=3, d_hidden=6, generator=torch.Generator())
    save_agent(tmp_path / "small-world", network, CONFIG, metrics={})
    start = load_agent(tmp_path / "small-world")
    child = save_agent(tmp_path / "large-world", network, CONFIG, metrics={}, start=start)
    assert child.manifest.parents == {"agent/small-world": start.artefact.manifest.digest}


def test_the_agent_that_ships_was_trained_before_there_were_cores_and_schedules():
    config = load_agent(SHIPPED).config
    assert (config.core, config.learning_rate_schedule, config.entropy_schedule) == ("gru", "linear", "constant")
    assert (config.time_limit, config.clip_value, config.stop_at) == ("end", False, None)
    assert (config.n_worlds, config.d_hidden, config.value_weight) == (512, 128, 0.5)


def test_what_is_no_agent_is_refused(tmp_path):
    write_artefact(tmp_path / "other", Content("model", {}, {}, {}), parents=(), seed=0)
    with pytest.raises(UserError, match="is of kind model, expected agent"):
        load_agent(tmp_path / "other")


def test_an_agent_is_not_overwritten_unasked(network, tmp_path):
    save_agent(tmp_path / "agent", network, CONFIG, metrics={})
    with pytest.raises(UserError, match="exists already"):
        save_agent(tmp_path / "agent", network, CONFIG, metrics={})
    save_agent(tmp_path / "agent", network, CONFIG, metrics={"anew": 1}, replace=True)
    assert load_agent(tmp_path / "agent").artefact.manifest.metrics == {"anew": 1}


@pytest.mark.parametrize(
    ("training", "shape", "sentence"),
    [
        ({"d_hidden": 20_000}, {}, "agent does not have the weights of the shape that it says: train it again"),
        ({"core": "lstm"}, {}, "agent does not have the weights of the shape that it says"),
        ({}, {"n_items": 10**30}, "agent says that it has weights larger than any memory: train it again"),
        ({}, {"n_items": -1}, r"shape\.n_items is -1 \(.*\) in .*agent, where it cannot be: train it again"),
        ({"core": "gpt"}, {}, r"training\.core is 'gpt' \(.*\) in .*agent"),
        ({"steps": None}, {}, r"training\.steps is None \(.*\) in .*agent"),
    ],
    ids=str,
)
def test_a_small_file_that_says_it_is_large_costs_nothing(network, training, shape, sentence, tmp_path):
    told = {"training": asdict(CONFIG) | training, "shape": {"n_items": 980, "n_actions": 7} | shape}
    write_artefact(tmp_path / "agent", Content("agent", told, network.state_dict(), {}), parents=(), seed=0)
    with little_memory(), pytest.raises(UserError, match=sentence):
        load_agent(tmp_path / "agent")


def test_an_agent_without_settings_gets_one_sentence(network, tmp_path):
    write_artefact(tmp_path / "agent", Content("agent", {}, network.state_dict(), {}), parents=(), seed=0)
    with pytest.raises(UserError, match=r"training is missing in .*agent, where it cannot be"):
        load_agent(tmp_path / "agent")
