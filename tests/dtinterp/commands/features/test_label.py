from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from dtinterp.commands.features.label import label
from dtinterp.dictionary.storage import gate_record
from dtinterp.features.labels.labelling import LabellingConfig
from dtinterp.features.labels.table import LABELS, LabelSummary, summary_of
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError


@pytest.fixture
def folder(small_study: Path) -> Path:
    return small_study / "labels" / "topk-512-k4"


def test_every_feature_has_a_verdict_and_so_has_the_untrained_control(folder: Path) -> None:
    study = load(folder, LABELS)
    for summary in (summary_of(study.labels), study.untrained):
        assert sum(summary.n_features.values()) == 512
        assert summary.n_searched > summary.n_judged > 0


def test_the_metrics_say_what_the_labels_do(folder: Path) -> None:
    metrics = read_artefact(folder, kind="labels").manifest.metrics
    recorded = TypeAdapter(LabelSummary).validate_python(metrics["trained"])
    assert recorded == summary_of(load(folder, LABELS).labels)


def test_the_verdict_on_the_dictionary_stands_with_its_labels(folder: Path, small_study: Path) -> None:
    recorded = read_artefact(folder, kind="labels").manifest.metrics["gate"]
    assert recorded == gate_record(small_study / "dictionaries" / "topk-512-k4")["gate"]
    assert str(recorded).startswith(("fails: ", "not judged: "))


def test_labels_of_another_models_dictionary_are_refused(small_study: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dictionary"):
        label(LabellingConfig(), small_study / "features" / "topk-512-k4", tmp_path / "labels", **_subject(small_study))


def _subject(small_study: Path) -> dict[str, Any]:
    return {"model": small_study / "models" / "novice", "demonstrations": small_study / "demonstrations" / "walks"}
