from pathlib import Path

import pytest

from dtinterp.foundation.statistics import Interval
from dtinterp.report.evidence import bits, cite, count, decimal, number, percentage, plural, shown_path, source, verb
from dtinterp.report.results import StudyResults

INTERVAL = Interval(0.6249, 0.55, 0.7, 96)


def test_a_number_carries_its_interval_and_its_count() -> None:
    assert number(INTERVAL) == (
        '<span class="number">0.62<span class="range" title="95% interval, n = 96"> [0.55, 0.70]</span></span>'
    )


def test_what_was_computed_has_bounds_instead() -> None:
    assert 'title="bounds: it was computed, nothing was sampled"> [75.0, 75.0]' in percentage(
        Interval(0.75, 0.75, 0.75, 0)
    )


def test_a_percentage_is_a_hundred_times_the_share() -> None:
    assert "62.5%" in percentage(INTERVAL)
    assert "[55.0, 70.0]" in percentage(INTERVAL)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0 bits"),
        (0.0273, "0.027 bits"),
        (1.0, "1 bits"),
        (0.00034, "0.00034 bits"),
        (1e-9, "below 0.000001 bits"),
    ],
)
def test_divergences_have_two_significant_digits(value: float, expected: str) -> None:
    assert bits(value) == expected


def test_a_negative_number_has_a_minus_sign_and_zero_has_none() -> None:
    assert decimal(-0.3, 2) == "−0.30"
    assert decimal(-0.001, 2) == "0.00"


def test_thousands_are_set_apart() -> None:
    assert count(1234567) == "1\u202f234\u202f567"


def test_one_is_singular_and_all_else_is_plural() -> None:
    assert [plural(n, "class", "classes") for n in (0, 1, 2)] == ["0 classes", "1 class", "2 classes"]
    assert plural(2, "swap") == "2 swaps"
    assert [verb(n, "holds", "hold") for n in (1, 2)] == ["holds", "hold"]


def test_a_citation_leads_to_the_artefact_and_names_it(results: StudyResults) -> None:
    artefact = results.model.artefact
    digest = artefact.manifest.digest[:10]
    assert cite("98%", artefact) == (
        f'<a href="#artefact-{digest}" class="cited" title="model/novice · {digest}">98%</a>'
    )
    assert f'href="#artefact-{digest}"' in source(artefact)


def test_paths_are_shown_without_the_machine_they_are_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(tmp_path / "checkpoints" / "models") == "checkpoints/models"
    assert shown_path(Path("/a/b/c/d/e")) == "…/c/d/e"
