from functools import partial
from pathlib import Path

import pytest

from dtinterp.commands.equivalence import reasons
from dtinterp.commands.equivalence.explain_classes import Places
from dtinterp.commands.equivalence.reasons import find_reasons
from dtinterp.equivalence.explain.explanations import EXPLANATION, PAIR
from dtinterp.equivalence.model_comparison import MODEL_COMPARISON
from dtinterp.equivalence.ordering import between_classes
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
        monkeypatch.setattr(reasons, name, 10)
    found = find_reasons(places, tmp_path, seed=0, once=lambda command: command)
    report = load(places.equivalence, EQUIVALENCE)
    assert load(found.agreement, MODEL_COMPARISON).portraits[0].model == "novice"
    assert [(pair.first, pair.second) for pair in map(partial(load, kind=PAIR), found.pairs)] == list(
        between_classes(report, 4)
    )
    assert found.explained is not None
    assert load(found.explained, EXPLANATION).dictionary == "topk-512-k4"
