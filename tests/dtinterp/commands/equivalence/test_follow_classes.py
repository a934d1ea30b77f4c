from dataclasses import replace
from shutil import copytree, rmtree

import pandas as pd
import pytest

from dtinterp.commands.data.collect import collect
from dtinterp.commands.equivalence.follow_classes import follow_classes
from dtinterp.commands.equivalence.run_options import RunOptions
from dtinterp.commands.models.train_model import train_model
from dtinterp.equivalence.over_training import HISTORY, HistoryConfig
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError
from tests.dtinterp.conftest import COLLECTION, TRAINING

CONFIG = HistoryConfig(n_frames=6, n_contexts=2, n_halves=2)


def test_a_training_that_kept_models_becomes_a_history_with_its_table_and_figure(folders, tmp_path):
    out, steps = tmp_path / "history", folders.root / "model.steps"
    options = RunOptions(tables=tmp_path / "tables")
    artefact = follow_classes(steps, CONFIG, out, demonstrations=folders.demonstrations, run=options)
    history = load(out, HISTORY)
    assert [moment.step for moment in history.moments] == [0, 1, 3, 12]
    assert len(artefact.manifest.parents) == 4  # three models and the demonstrations
    table = pd.read_parquet(tmp_path / "tables" / "moments.parquet")
    assert table["loss"].tolist() == [moment.validation.loss for moment in history.moments]
    assert "after %{customdata} steps" in (tmp_path / "history.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history", "history.html", "tables"]


def test_a_folder_without_models_is_refused(folders, tmp_path):
    with pytest.raises(UserError, match="holds no step-"):
        follow_classes(tmp_path, CONFIG, tmp_path / "history", demonstrations=folders.demonstrations)


def test_models_of_two_trainings_are_refused(folders, tmp_path):
    copytree(folders.root / "model.steps", tmp_path / "mixed")
    train_model(
        replace(TRAINING, steps=2, seed=1), folders.demonstrations, tmp_path / "other", n_calibration_episodes=0
    )
    copytree(tmp_path / "other", tmp_path / "mixed" / "step-000002")
    with pytest.raises(UserError, match="are not of one training"):
        follow_classes(tmp_path / "mixed", CONFIG, tmp_path / "history", demonstrations=folders.demonstrations)


def test_models_of_other_demonstrations_are_refused(folders, tmp_path):
    copytree(folders.root / "model.steps", tmp_path / "mixed")
    collect(replace(COLLECTION, seed=1), folders.agent, tmp_path / "others")
    train_model(TRAINING, tmp_path / "others", tmp_path / "model", n_calibration_episodes=0)
    rmtree(tmp_path / "mixed" / "step-000003")
    copytree(tmp_path / "model.steps" / "step-000003", tmp_path / "mixed" / "step-000003")
    with pytest.raises(UserError, match="are not of one training"):
        follow_classes(tmp_path / "mixed", CONFIG, tmp_path / "history", demonstrations=folders.demonstrations)
