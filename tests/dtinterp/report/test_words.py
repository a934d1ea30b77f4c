from pathlib import Path

import pytest

from dtinterp.report.words import bits, count, decimal, loss, plural, shown_path, verb


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


@pytest.mark.parametrize(
    ("lost", "said"), [(0.0, "nothing"), (1e-5, "less than 0.001"), (5e-4, "0.001"), (0.4461, "0.446")]
)
def test_a_loss_is_nothing_only_where_nothing_is_lost(lost: float, said: str) -> None:
    assert loss(lost) == said


def test_a_negative_number_has_a_minus_sign_and_zero_has_none() -> None:
    assert decimal(-0.3, 2) == "−0.30"
    assert decimal(-0.001, 2) == "0.00"


def test_thousands_are_set_apart() -> None:
    assert count(1234567) == "1\u202f234\u202f567"


def test_one_is_singular_and_all_else_is_plural() -> None:
    assert [plural(n, "class", "classes") for n in (0, 1, 2)] == ["0 classes", "1 class", "2 classes"]
    assert plural(2, "swap") == "2 swaps"
    assert [verb(n, "holds", "hold") for n in (1, 2)] == ["holds", "hold"]


def test_paths_are_shown_without_the_machine_they_are_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(tmp_path / "checkpoints" / "models") == "checkpoints/models"
    assert shown_path(Path("/a/b/c/d/e")) == "…/c/d/e"
