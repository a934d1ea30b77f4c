from pathlib import Path

from dtinterp.equivalence.explain.explanations import EXPLANATION, PAIR
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.artefacts.codec import load


def test_an_explained_pair_comes_back_as_it_was_found(small_study: Path) -> None:
    folder = small_study / "pairs" / "novice"
    found = load(folder, PAIR)
    written = read_artefact(folder, kind="pair")
    assert [found.first, found.second] == written.config["pair"]
    assert list(found.found.differing) == written.manifest.metrics["differing"]
    assert found.search.epsilon == 0.001
    assert found.dictionary == "topk-512-k4"


def test_explained_classes_come_back_with_the_classes_that_they_are_about(small_study: Path) -> None:
    found = load(small_study / "explanations" / "novice", EXPLANATION)
    report = load(small_study / "equivalence" / "novice", EQUIVALENCE)
    assert sorted(each.n_members for each in found.classes) == sorted(report.partition.sizes.tolist())
    assert found.predictions.n_pairs == 12 * 11 // 2
    assert found.dictionary == "topk-512-k4"
