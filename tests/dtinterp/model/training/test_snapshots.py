from dataclasses import replace

import pytest
import torch

from dtinterp.foundation.artefacts.artefact import Content, write_artefact
from dtinterp.foundation.errors import UserError
from dtinterp.model.config import TrainConfig
from dtinterp.model.storage import load_model
from dtinterp.model.training.snapshots import CheckpointFolder
from dtinterp.model.validation import Validation


@pytest.fixture
def demonstrations(tmp_path):
    return write_artefact(tmp_path / "demonstrations", Content("demonstrations", {}, {}, {}), parents=(), seed=0)


@pytest.fixture
def folder(model, tmp_path, demonstrations):
    return CheckpointFolder(tmp_path / "model.steps", TrainConfig(model.cfg, n_checkpoints=3), demonstrations)


def changed(model, amount):
    with torch.no_grad():
        model.b_U.fill_(amount)
    return model


def test_each_step_is_a_model_of_its_own(folder, model, demonstrations):
    for step in (1, 20):
        folder.keep_step(changed(model, float(step)), step)
    assert sorted(path.name for path in folder.path.iterdir()) == ["step-000001", "step-000020"]
    kept = load_model(folder.path / "step-000001", parent=demonstrations)
    assert torch.equal(kept.model.b_U, torch.ones(7))
    assert kept.config == folder.config
    assert kept.artefact.manifest.metrics == {"step": 1}


def test_the_best_is_the_one_with_the_lowest_held_out_loss(folder, model):
    for step, loss in ((1, 1.5), (2, 1.2), (3, 1.4)):
        folder.keep_best(changed(model, float(step)), step, Validation(loss, 0.5, 10))
    best = load_model(folder.path / "best")
    assert best.artefact.manifest.metrics == {"step": 2, "loss": 1.2, "accuracy": 0.5}
    assert torch.equal(best.model.b_U, torch.full((7,), 2.0))


def test_a_resumed_training_brings_the_same_models_again(folder, model):
    for _ in range(2):
        folder.keep_step(model, 7)
        folder.keep_best(model, 7, Validation(1.0, 0.5, 10))
    assert sorted(path.name for path in folder.path.iterdir()) == ["best", "step-000007"]


def test_models_of_this_training_may_stay(folder, model):
    folder.require_own()
    folder.keep_step(model, 1)
    (folder.path / ".step-000002.draft").mkdir()  # as a kill leaves it
    folder.require_own()


@pytest.mark.parametrize("what", ["config", "demonstrations"])
def test_models_of_another_training_are_left_alone(folder, model, tmp_path, what):
    folder.keep_step(model, 1)
    others = write_artefact(tmp_path / "others", Content("demonstrations", {}, {}, {}), parents=(), seed=1)
    stranger = {"config": replace(folder.config, seed=1), "demonstrations": others}[what]
    with pytest.raises(UserError, match=r"model\.steps holds models of another training: remove it, or give another"):
        replace(folder, **{what: stranger}).require_own()


def test_the_best_of_a_training_that_is_written_anew_does_not_stay(folder, model):
    folder.keep_best(model, 20, Validation(1.0, 0.5, 10))
    for step, loss in ((10, 1.6), (20, 1.5)):
        folder.keep_best(changed(model, float(step)), step, Validation(loss, 0.5, 10))
    assert load_model(folder.path / "best").artefact.manifest.metrics["loss"] == 1.5
