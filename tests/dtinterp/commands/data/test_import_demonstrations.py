import json
from collections.abc import Mapping
from importlib.metadata import version

import gymnasium
import pytest

from dtinterp.commands.data.export import export
from dtinterp.commands.data.import_demonstrations import import_demonstrations
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import Logbook
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.split import split_of
from dtinterp.model.training.train import ModelRecord, train_model
from environments.vocabulary import one_hot

WORLD = "MiniGrid-MemoryS7-v0"
TRAINING = TrainConfig(
    ModelConfig(d_model=16, n_heads=2, d_mlp=16, max_time=250), steps=60, batch_size=32, validate_every=30, held_out=0.3
)


def test_a_model_trains_on_anybodys_minigrid_dataset(collected_by_minari, tmp_path):
    folder = collected_by_minari(gymnasium.make(WORLD), n_steps=1200)
    artefact = import_demonstrations(folder, out=tmp_path / "foreign")
    assert artefact.manifest.parents == {}
    origin = {"library": "minari", "dataset_id": "random-v0", "version": version("minari"), "n_episodes_dropped": 0}
    assert artefact.manifest.metrics["origin"] == origin
    trajectories, _ = load_trajectories(tmp_path / "foreign")
    log = tmp_path / "log.jsonl"
    train_model(
        trajectories,
        split_of(trajectories, TRAINING),
        TRAINING,
        items=one_hot(trajectories.frames),
        record=ModelRecord(Logbook(log)),
    )
    losses = [json.loads(row)["loss"] for row in log.read_text().splitlines()]
    assert len(losses) == 2
    assert losses[1] < losses[0]


def test_our_own_demonstrations_go_there_and_back(folders, tmp_path):
    pytest.importorskip("minari")
    dataset = export(folders.demonstrations, out=tmp_path)
    back = import_demonstrations(dataset, out=tmp_path / "back")
    ours, source = load_trajectories(folders.demonstrations)
    assert back.manifest.metrics["by_sampler"] == source.manifest.metrics["by_sampler"]
    assert load_trajectories(tmp_path / "back")[0].fact_names == ours.fact_names


def test_what_exists_is_not_replaced_unasked(folders, tmp_path):
    with pytest.raises(UserError, match="exists already: give another --out"):
        import_demonstrations(tmp_path / "nowhere", out=folders.demonstrations)


def test_a_dataset_of_a_world_whose_mission_nobody_reads_says_so(collected_by_minari, tmp_path, capsys):
    folder = collected_by_minari(gymnasium.make("MiniGrid-GoToDoor-5x5-v0"))
    artefact = import_demonstrations(folder, out=tmp_path / "foreign")
    origin = artefact.manifest.metrics["origin"]
    assert isinstance(origin, Mapping)
    note = str(origin["note"])
    assert note.startswith("MiniGrid-GoToDoor-5x5-v0 gives each episode a mission of its own")
    assert f"note: {note}" in capsys.readouterr().err.splitlines()
