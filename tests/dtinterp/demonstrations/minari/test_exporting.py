from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from dtinterp.demonstrations.minari.exporting import to_minari
from dtinterp.demonstrations.minari.importing import from_minari
from dtinterp.foundation.errors import UserError

minari = pytest.importorskip("minari")
pytest.importorskip("h5py")


def test_what_is_exported_and_imported_is_what_it_was(trajectories, tmp_path):
    back = from_minari(to_minari(trajectories, tmp_path, "walks-v0")).trajectories
    assert torch.equal(back.frames[back.frame_id.long()], trajectories.frames[trajectories.frame_id.long()])
    assert torch.equal(back.facts, trajectories.facts)
    for field in fields(trajectories):
        if field.name not in ("frames", "frame_id", "fact_table", "fact_id"):
            ours, theirs = getattr(back, field.name), getattr(trajectories, field.name)
            assert torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs, field.name
    assert len(back.frames) == len(trajectories.frames)


def test_minari_finds_the_dataset_in_its_root(trajectories, tmp_path, monkeypatch):
    to_minari(trajectories, tmp_path / "root", "walks-v0")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "root"))
    dataset = minari.load_dataset("walks-v0")
    assert list(minari.list_local_datasets()) == ["walks-v0"]
    assert (dataset.total_episodes, dataset.total_steps) == (trajectories.n_episodes, trajectories.n_steps)
    env = dataset.recover_environment()
    assert env.observation_space == dataset.observation_space
    assert env.action_space == dataset.action_space
    assert env.unwrapped.spec.id == trajectories.env_id


def test_every_episode_is_one_that_minari_accepts(trajectories, tmp_path):
    folder = to_minari(trajectories, tmp_path, "walks-v0")
    for episode in minari.MinariDataset(folder / "data").iterate_episodes():
        n_steps = len(episode.rewards)
        assert len(episode.observations) == n_steps + 1
        assert len(episode.actions) == len(episode.terminations) == len(episode.truncations) == n_steps
        assert not episode.terminations[:-1].any()
        assert not episode.truncations[:-1].any()
        assert episode.terminations[-1] != episode.truncations[-1]
        assert np.array_equal(episode.observations[-1], episode.observations[-2])


def test_the_missing_last_observation_is_confessed(trajectories, tmp_path):
    folder = to_minari(trajectories, tmp_path, "walks-v0")
    assert "was not recorded" in minari.MinariDataset(folder / "data").storage.metadata["description"]


@pytest.mark.parametrize("dataset_id", ["walks", "", "../walks-v0", "walks-v", "/walks-v0"])
def test_what_is_no_dataset_id_is_refused(trajectories, tmp_path, dataset_id):
    with pytest.raises(UserError, match=rf"the dataset id is '{dataset_id}', expected a name with a version"):
        to_minari(trajectories, tmp_path, dataset_id)
    assert not any(tmp_path.iterdir())


def test_what_exists_is_not_overwritten(trajectories, tmp_path):
    to_minari(trajectories, tmp_path, "walks-v0")
    with pytest.raises(UserError, match=r"walks-v0 exists already: give another --out or --dataset-id"):
        to_minari(trajectories, tmp_path, "walks-v0")
    assert [path.name for path in tmp_path.iterdir()] == ["walks-v0"]


def test_an_id_may_have_a_namespace(trajectories, tmp_path):
    assert to_minari(trajectories, tmp_path, "grid/memory/walks-v2") == tmp_path / "grid" / "memory" / "walks-v2"


def test_what_has_no_facts_goes_there_and_back_too(trajectories, tmp_path):
    no_facts = {"fact_table": torch.empty(1, 0, dtype=torch.int16), "fact_id": torch.zeros_like(trajectories.fact_id)}
    bare = replace(trajectories, **no_facts, fact_names=())
    back = from_minari(to_minari(bare, tmp_path, "walks-v0")).trajectories
    assert back.fact_names == ()
    assert torch.equal(back.action, trajectories.action)
