from dataclasses import replace

import pytest

from dtinterp.commands.data.join import join
from dtinterp.commands.models.train_model import train_model
from dtinterp.demonstrations.storage import load_trajectories, save_trajectories
from dtinterp.foundation.artefacts.artefact import Content, write_artefact
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.returns.calibration import recorded_calibration
from dtinterp.model.config import ModelConfig
from dtinterp.model.storage import load_model
from dtinterp.model.training.train import TrainConfig

STATIC, MOVABLE = "MiniGrid-MemoryS7FixedStartStatic-v0", "MiniGrid-MemoryS7FixedStart-v0"


@pytest.fixture(scope="session")
def mixture(folders):
    trajectories, artefact = load_trajectories(folders.demonstrations)
    other = folders.root / "other"
    save_trajectories(other, replace(trajectories, env_id=MOVABLE), parent=artefact, seed=0)
    return join((folders.demonstrations, other), out=folders.root / "mixture")


def test_a_mixture_has_the_demonstrations_as_parents(folders, mixture):
    digests = {load_trajectories(folders.root / name)[1].manifest.digest for name in ("demonstrations", "other")}
    assert set(mixture.manifest.parents.values()) == digests
    assert load_trajectories(mixture.path)[0].env_ids == (STATIC, MOVABLE)


def test_a_model_of_a_mixture_is_calibrated_in_each_world(folders, mixture, monkeypatch):
    monkeypatch.setattr("dtinterp.interventions.returns.calibration.TARGETS", (0.0, 0.892))
    config = TrainConfig(ModelConfig(d_model=8, n_layers=1, n_heads=1, d_mlp=8), steps=2, batch_size=16)
    trained = train_model(config, mixture.path, folders.root / "model of two worlds", n_calibration_episodes=40)
    assert trained is not None
    labels = {f"{sampler} in {env_id}" for sampler in ("greedy", "temperature=1") for env_id in (STATIC, MOVABLE)}
    assert set(recorded_calibration(trained)) == labels
    log = (folders.root / "model of two worlds.jsonl").read_text(encoding="utf-8")
    assert f"success_at_0.892 in {MOVABLE}" in log
    assert load_model(trained.path, parent=mixture).config == config


def test_samplers_of_different_agents_in_one_world_are_told_apart(folders, tmp_path):
    trajectories, _ = load_trajectories(folders.demonstrations)
    for name, seed in (("again", 0), ("another", 1)):
        agent = write_artefact(tmp_path / name / "agent", Content("agent", {}, {}, {}), parents=(), seed=seed)
        save_trajectories(tmp_path / f"{name} walks", trajectories, parent=agent, seed=0)
    same = join((folders.demonstrations, folders.demonstrations), out=tmp_path / "same")
    assert load_trajectories(same.path)[0].samplers == trajectories.samplers
    apart = join((tmp_path / "again walks", tmp_path / "another walks"), out=tmp_path / "apart")
    digests = [load_trajectories(tmp_path / f"{name} walks")[1].manifest.parents for name in ("again", "another")]
    endings = [f"agent {next(iter(parents.values()))[:8]}" for parents in digests]
    assert load_trajectories(apart.path)[0].samplers == tuple(
        f"{name} of {ending}" for ending in endings for name in trajectories.samplers
    )


def test_one_folder_is_no_mixture(folders):
    with pytest.raises(UserError, match="1 demonstrations cannot be joined: give at least two"):
        join((folders.demonstrations,), out=folders.root / "lonely")
