from dataclasses import fields, is_dataclass
from pathlib import Path

import torch
from torch import Tensor

from dtinterp.activations.harvest import Activations
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.features.labels.labelling import label
from dtinterp.features.labels.storage import load_labels, save_labels
from dtinterp.features.labels.table import LabelConfig, LabelStudy, summary_of


def test_saved_labels_come_back_to_the_bit(
    dead: Dictionary, activations: Activations, trajectories: Trajectories, tmp_path: Path
) -> None:
    labels = label(dead, activations, trajectories, LabelConfig(n_literals=2, beam=4, min_firings=2))
    study = LabelStudy(labels, summary_of(labels))
    save_labels(tmp_path / "labels", study, parents=())
    _assert_equal(study, load_labels(tmp_path / "labels"))


def _assert_equal(first: object, second: object) -> None:
    if isinstance(first, Tensor):
        assert isinstance(second, Tensor)
        assert torch.equal(first, second)
    elif is_dataclass(first):
        for field in fields(first):
            _assert_equal(getattr(first, field.name), getattr(second, field.name))
    else:
        assert first == second
