from pathlib import Path

import pytest

from dtinterp.commands.equivalence import reasons
from dtinterp.commands.equivalence.explain_classes import Places
from dtinterp.commands.equivalence.reasons import find_reasons
from dtinterp.equivalence.comparison_storage import load_comparison
from dtinterp.equivalence.explain.storage import load_explained_classes, load_pair
from dtinterp.equivalence.ordering import between_classes
from dtinterp.equivalence.storage import load_equivalence


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
        monkeypatch.setattr(reasons, name, 10)
    found = find_reasons(places, tmp_path, seed=0, once=lambda command: command)
    report = load_equivalence(places.equivalence)
    assert load_comparison(found.agreement).portraits[0].model == "novice"
    assert [(pair.first, pair.second) for pair in map(load_pair, found.pairs)] == list(between_classes(report, 4))
    assert found.explained is not None
    assert load_explained_classes(found.explained).dictionary == "topk-512-k4"
