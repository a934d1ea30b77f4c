import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.storage import TRAINING, load_agent
from dtinterp.cli import INTERRUPTED
from dtinterp.commands.data.train_agent import N_EPISODES, ON_TRAINING_LAYOUTS, fresh_worlds, judge, train_agent
from dtinterp.demonstrations.evaluate import Evaluation
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.logbook import Logbook


def recorded(agent: Artefact) -> dict[str, Evaluation]:
    judged = {name: value for name, value in agent.manifest.metrics.items() if name != TRAINING}
    return TypeAdapter(dict[str, Evaluation]).validate_python(judged)


def test_an_agent_is_judged_over_fresh_episodes_under_both_samplers(folders):
    fares = recorded(load_agent(folders.agent).artefact)
    assert set(fares) == {"greedy", "temperature=1"}
    assert all(evaluation.success.n == N_EPISODES for evaluation in fares.values())


def test_a_stored_agent_fares_as_its_manifest_says(folders):
    trained = load_agent(folders.agent)
    assert judge(trained.network, fresh_worlds(trained.config.env_id), Greedy()) == recorded(trained.artefact)["greedy"]


def test_training_is_logged_beside_the_agent(folders):
    assert (folders.root / "agent.jsonl").read_text().count("\n") == 2  # two updates fit into the steps


def test_an_interrupted_replacement_loses_neither_the_agent_nor_its_log(folders, tmp_path, monkeypatch):
    agent = tmp_path / "agent"
    shutil.copytree(folders.agent, agent)
    shutil.copy(folders.root / "agent.jsonl", tmp_path / "agent.jsonl")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    monkeypatch.setattr(Logbook, "write", killed)
    with pytest.raises(MemoryError):
        train_agent(load_agent(agent).config, agent, replace=True)
    assert {file: file.read_bytes() for file in before} == before


def killed(*_, **__):
    raise MemoryError


def test_the_artefact_says_what_training_took_and_where(folders):
    manifest = load_agent(folders.agent).artefact.manifest
    spent = TypeAdapter(dict[str, float]).validate_python(manifest.metrics[TRAINING])
    assert spent["steps"] == 8192
    assert spent["seconds"] > 0
    assert manifest.device == "cpu"


ROOT = Path(__file__).parents[4]
LAVA = AgentConfig("MiniGrid-LavaGapS5-v0", steps=2048, n_worlds=64, n_layouts=8, n_rollout=16, d_hidden=8)


def test_where_layouts_are_drawn_the_agent_is_also_judged_on_those_of_training(tmp_path, capsys):
    fares = recorded(train_agent(LAVA, tmp_path / "agent"))
    assert set(fares) == {"greedy", "temperature=1", ON_TRAINING_LAYOUTS}
    assert "mission" not in capsys.readouterr().err  # all its episodes have the same


def test_a_world_whose_mission_nobody_reads_is_named_before_training(tmp_path, capsys):
    config = replace(LAVA, env_id="MiniGrid-GoToDoor-5x5-v0")
    agent = train_agent(config, tmp_path / "agent")
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert notes[0].startswith("note: MiniGrid-GoToDoor-5x5-v0 gives each episode a mission of its own, such as 'go to")
    spent = agent.manifest.metrics[TRAINING]
    assert isinstance(spent, Mapping)
    assert f"note: {spent['note']}" == notes[0]


def test_an_agent_of_one_world_goes_on_learning_in_another(folders, tmp_path):
    start = load_agent(folders.agent).artefact
    config = replace(load_agent(folders.agent).config, env_id="MiniGrid-MemoryS7FixedStart-v0")
    agent = train_agent(config, tmp_path / "agent", start_from=folders.agent)
    assert agent.manifest.parents == {"agent/agent": start.manifest.digest}
    assert load_agent(tmp_path / "agent").config.env_id == "MiniGrid-MemoryS7FixedStart-v0"


@pytest.mark.slow
def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path):
    words = "--env-id MiniGrid-MemoryS7FixedStartStatic-v0 --steps 81920 --n-rollout 16 --d-hidden 8 --device cpu"
    main = "import sys; from dtinterp.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", main, "train-agent", *words.split(), "--out"]
    stopped = subprocess.Popen([*command, str(tmp_path / "stopped")], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    log = tmp_path / "stopped.unfinished.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= 2):
        assert stopped.poll() is None
    stopped.send_signal(signal.SIGINT)
    _, said = stopped.communicate()
    assert stopped.returncode == INTERRUPTED
    assert "of 40 updates" in said
    assert "give the same command again to go on" in said
    for name in ("stopped", "whole"):
        subprocess.run([*command, str(tmp_path / name)], check=True, capture_output=True, cwd=ROOT)
    tensors = [
        load_agent(tmp_path / name).artefact.manifest.files["tensors.safetensors"] for name in ("stopped", "whole")
    ]
    assert tensors[0] == tensors[1]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["stopped", "stopped.jsonl", "whole", "whole.jsonl"]
