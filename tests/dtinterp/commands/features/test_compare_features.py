from pathlib import Path
from typing import Any

import pytest
import torch

from dtinterp.commands.features.compare_features import compare_features
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.replacements.compare_features import CompareConfig
from dtinterp.interventions.replacements.dictionary_comparison import (
    FEATURE_COMPARISON,
    DictionaryComparison,
    DictionaryComparisonConfig,
)

QUICK = CompareConfig(DictionaryComparisonConfig(n_draws=2), n_windows=48, n_fit_windows=64)


@pytest.fixture(scope="module")
def trained(small_study: Path) -> DictionaryComparison:
    return load(small_study / "comparisons" / "novice", FEATURE_COMPARISON)


@pytest.fixture(scope="module")
def untrained(small_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = CompareConfig(QUICK.comparison, n_windows=48, n_fit_windows=64, untrained=True, n_dictionary_windows=64)
    out = tmp_path_factory.mktemp("control") / "comparison"
    compare_features(config, _dictionaries(small_study), out, **_subject(small_study))
    return out


def test_dictionaries_of_an_untrained_model_say_so(trained: DictionaryComparison, untrained: Path) -> None:
    control = load(untrained, FEATURE_COMPARISON)
    assert control.name == tuple(f"untrained {name}" for name in trained.name)
    assert {each.name for each in control.linear} == set(control.name)


def test_the_control_is_held_against_the_same_windows(trained: DictionaryComparison, untrained: Path) -> None:
    control = load(untrained, FEATURE_COMPARISON)
    assert torch.equal(control.step, trained.step)
    assert torch.equal(control.last_step, trained.last_step)
    assert not torch.allclose(control.error, trained.error)
    assert [each.excess for each in control.linear] != [each.excess for each in trained.linear]


def test_the_control_has_the_parents_of_what_it_controls(small_study: Path, untrained: Path) -> None:
    parents = [
        read_artefact(path, kind="feature-comparison").manifest.parents
        for path in (untrained, small_study / "comparisons" / "novice")
    ]
    assert parents[0] == parents[1]


def test_a_step_that_is_none_is_refused(small_study: Path, tmp_path: Path) -> None:
    config = CompareConfig(QUICK.comparison, n_windows=48, n_fit_windows=64, steps=(10**7,))
    with pytest.raises(UserError, match="step 10000000 is none of the demonstrations"):
        compare_features(config, _dictionaries(small_study), tmp_path / "out", **_subject(small_study))


def test_nothing_to_compare_is_refused(small_study: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no dictionary to compare"):
        compare_features(QUICK, (), tmp_path / "out", **_subject(small_study))


def _dictionaries(small_study: Path) -> tuple[Path, ...]:
    return tuple(sorted((small_study / "dictionaries").iterdir()))


def _subject(small_study: Path) -> dict[str, Any]:
    return {"model": small_study / "models" / "novice", "demonstrations": small_study / "demonstrations" / "walks"}
