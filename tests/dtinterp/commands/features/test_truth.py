from functools import partial
from pathlib import Path

import pytest

from dtinterp.commands.features.truth import truth
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.storage import gate_record
from dtinterp.features.labels.table import LabelConfig
from dtinterp.features.truth.assessment import TRUTH
from dtinterp.features.truth.controlled import TruthConfig
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.artefacts.codec import load


def test_truth_is_told_of_a_dictionary_on_disk_and_of_its_untrained_twin(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtinterp.subject.fitting.FitConfig", partial(FitConfig, n_steps=20))  # of the twin
    truth(
        TruthConfig(LabelConfig(min_firings=1), n_windows=64, n_fit_windows=32),
        small_study / "dictionaries" / "topk-512-k4",
        tmp_path / "truth",
        model=small_study / "models" / "novice",
        demonstrations=small_study / "demonstrations" / "walks",
    )
    recorded = read_artefact(tmp_path / "truth", kind="truth").manifest.metrics["gate"]
    assert recorded == gate_record(small_study / "dictionaries" / "topk-512-k4")["gate"]
    study = load(tmp_path / "truth", TRUTH)
    report, control = study.report, study.untrained
    assert control is not None
    assert control.subspace is not None
    assert control.items.n == len(report.items.truth)
    assert control.items.mean_f1 != pytest.approx(float(report.items.f1.mean()))
    assert report.subspace is not None
    assert 0 <= report.items.coverage <= 1
    assert report.n_searched > report.n_judged > 0
