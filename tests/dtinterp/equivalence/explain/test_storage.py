from pathlib import Path

import pytest

from dtinterp.equivalence.explain.storage import load_explained_classes, load_pair
from dtinterp.equivalence.storage import load_equivalence
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.errors import UserError


def test_an_explained_pair_comes_back_as_it_was_found(small_study: Path) -> None:
    folder = small_study / "pairs" / "novice"
    found = load_pair(folder)
    written = read_artefact(folder, kind="pair")
    assert [found.first, found.second] == written.config["pair"]
    assert list(found.found.differing) == written.manifest.metrics["differing"]
    assert found.search.epsilon == 0.001
    assert found.dictionary == "topk-512-k4"


def test_explained_classes_come_back_with_the_classes_that_they_are_about(small_study: Path) -> None:
    found = load_explained_classes(small_study / "explanations" / "novice")
    report = load_equivalence(small_study / "equivalence" / "novice")
    assert sorted(each.n_members for each in found.classes) == sorted(report.partition.sizes.tolist())
    assert found.predictions.n_pairs == 12 * 11 // 2
    assert found.dictionary == "topk-512-k4"


def test_an_explanation_of_another_model_is_refused(small_study: Path) -> None:
    stranger = read_artefact(small_study / "agents" / "wanderer", kind="agent")
    for load, name in ((load_pair, "pairs"), (load_explained_classes, "explanations")):
        with pytest.raises(UserError, match="was not made from"):
            load(small_study / name / "novice", parent=stranger)
