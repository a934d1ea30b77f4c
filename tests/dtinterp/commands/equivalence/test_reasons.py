from pathlib import Path

import pytest

from dtinterp.commands.equivalence import reasons as module
from dtinterp.commands.equivalence.explain_classes import Places
from dtinterp.commands.equivalence.reasons import find_reasons
from dtinterp.commands.record import open_record
from dtinterp.equivalence.levels import between_classes
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.foundation.artefacts.codec import load


@pytest.fixture
def places(small_study: Path) -> Places:
    return Places(
        small_study / "equivalence" / "novice",
        small_study / "dictionaries" / "topk-512-k4",
        small_study / "models" / "novice",
        small_study / "demonstrations" / "walks",
    )


def test_certified_classes_are_compared_and_explained_below_one_folder(places, tmp_path, monkeypatch):
    for name in ("N_DRAWS", "N_RESAMPLES", "N_SETS"):
        monkeypatch.setattr(module, name, 10)
    report = load(places.equivalence, EQUIVALENCE)
    keep = open_record(tmp_path / "unfinished.json", "this", replace=False)
    found = find_reasons(report, places, tmp_path, seed=0, keep=keep)
    assert found.agreement.value.portraits[0].model == "novice"
    pairs = [(pair.value.first, pair.value.second) for pair in found.pairs]
    assert pairs == list(between_classes(report, 4))
    assert {pair.artefact.path.parent for pair in found.pairs} == {tmp_path / "pairs"}
    assert found.explained is not None
    assert found.explained.value.dictionary == "topk-512-k4"
    assert set(keep.recorded.seconds) == {"reasons"}
