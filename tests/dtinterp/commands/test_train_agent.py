import shutil

import pytest
from pydantic import TypeAdapter

from dtinterp.agents.storage import load_agent
from dtinterp.commands.train_agent import N_EPISODES, judge, train_agent
from dtinterp.demonstrations.evaluate import Evaluation
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.foundation.artefact import Artefact
from dtinterp.foundation.logbook import Logbook


def recorded(agent: Artefact) -> dict[str, Evaluation]:
    return TypeAdapter(dict[str, Evaluation]).validate_python(agent.manifest.metrics)


def test_an_agent_is_judged_over_fresh_episodes_under_both_samplers(folders):
    fares = recorded(load_agent(folders.agent).artefact)
    assert set(fares) == {"greedy", "temperature=1"}
    assert all(evaluation.success.n == N_EPISODES for evaluation in fares.values())


def test_a_stored_agent_fares_as_its_manifest_says(folders):
    trained = load_agent(folders.agent)
    assert judge(trained.network, trained.config.env_id, Greedy()) == recorded(trained.artefact)["greedy"]


def test_training_is_logged_beside_the_agent(folders):
    assert (folders.root / "agent.jsonl").read_text().count("\n") == 2  # two updates fit into the steps


def test_an_interrupted_replacement_loses_neither_the_agent_nor_its_log(folders, tmp_path, monkeypatch):
    agent = tmp_path / "agent"
    shutil.copytree(folders.agent, agent)
    shutil.copy(folders.root / "agent.jsonl", tmp_path / "agent.jsonl")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    monkeypatch.setattr(Logbook, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_agent(load_agent(agent).config, agent, replace=True)
    assert {file: file.read_bytes() for file in before} == before


def interrupted(*_, **__):
    raise KeyboardInterrupt
