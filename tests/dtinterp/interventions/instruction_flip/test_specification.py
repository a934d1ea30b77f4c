from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.instruction_flip.specification import Specification, read_specification

SHIPPED = Path(__file__).parents[4] / "experiments" / "instruction-flip" / "experiment.yaml"


@pytest.fixture
def write(tmp_path: Path, fields: dict[str, object]) -> Callable[..., Path]:
    """Writes the experiment with some fields changed; a field set to None is left out."""

    def _write(**changes: object) -> Path:
        file = tmp_path / "experiment.yaml"
        merged = {name: value for name, value in {**fields, **changes}.items() if value is not None}
        file.write_text(yaml.safe_dump(merged), encoding="utf-8")
        return file

    return _write


def _sentence(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_specification(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith((str(path), "there is no experiment"))
    assert sentence.endswith(".")
    return sentence.removeprefix(f"{path}: ")


def test_the_shipped_experiment_is_well_formed() -> None:
    specification = read_specification(SHIPPED)
    assert specification.cells == ((4, 2), (4, 3), (0, 5), (2, 6))
    assert specification.target_return == 0.892
    assert len(specification.coefficients) == 17


def test_whole_numbers_may_stand_for_fractions(write: Callable[..., Path]) -> None:
    assert read_specification(write(target_return=1)).target_return == 1.0


def test_a_specification_is_read_back_from_its_own_json(write: Callable[..., Path]) -> None:
    specification = read_specification(write())
    assert Specification.model_validate(specification.model_dump(mode="json")) == specification


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"world": "MiniGrid-Empty-5x5-v0"}, ["world is 'MiniGrid-Empty-5x5-v0'", "choose one of", "correct it"]),
        ({"target_return": 1.2}, ["target_return is 1.2", "less than or equal to 1"]),
        ({"target_return": "much"}, ["target_return is 'much'", "valid number"]),
        ({"direction": "second_component"}, ["direction is 'second_component'", "'first_component'"]),
        ({"unit": "volts"}, ["unit is 'volts'", "'activation'"]),
        ({"cells": []}, ["cells is []", "at least 1 item"]),
        ({"cells": [[0, 7]]}, ["cells.0.1 is 7", "less than 7"]),
        ({"cells": [[0, 5], [0, 5]]}, ["cells is", "twice"]),
        ({"cells": [[0, 5, 1]]}, ["cells.0 is [0, 5, 1]", "at most 2 items"]),
        ({"coefficients": [-1, 1, 1]}, ["coefficients is [-1, 1, 1]", "twice"]),
        ({"coefficients": [-1, float("nan"), 1]}, ["coefficients.1 is nan", "finite number"]),
        ({"coefficients": [-2, 0, 1]}, ["the coefficients lack 1 or -1"]),
        ({"strength": 0}, ["strength is 0", "greater than 0"]),
        ({"decoys": [[]]}, ["decoys.0 is []", "at least 1 item"]),
        ({"n_draws": 0}, ["n_draws is 0", "greater than or equal to 1"]),
        ({"n_draws": True}, ["n_draws is True", "valid integer"]),
        ({"n_draws": 2}, ["closed_loop.n_draws is 3, more than n_draws (2)"]),
        ({"seed": -1}, ["seed is -1", "greater than or equal to 0"]),
        ({"seed": "one"}, ["seed is 'one'", "valid integer"]),
        ({"site": 3}, ["site is 3", "valid string"]),
        ({"site": None}, ["the field 'site' is missing: add it"]),
        ({"sight": "x"}, ["the field 'sight' is unknown", "site", "remove or rename it"]),
        ({"closed_loop": "no"}, ["closed_loop is 'no'", "valid dictionary"]),
        (
            {"closed_loop": {"samplers": ["greedy"], "n_episodes": 1, "n_draws": 1, "speed": 2}},
            ["the field 'closed_loop.speed' is unknown", "n_episodes"],
        ),
        (
            {"closed_loop": {"samplers": ["greed"], "n_episodes": 1, "n_draws": 1}},
            ["closed_loop.samplers.0 is 'greed'", "expected temperature=T, greedy"],
        ),
        (
            {"closed_loop": {"samplers": [], "n_episodes": 1, "n_draws": 1}},
            ["closed_loop.samplers is []", "at least 1 item"],
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_value_is_named_in_one_sentence(
    changes: dict[str, object], words: list[str], write: Callable[..., Path]
) -> None:
    sentence = _sentence(write(**changes))
    for word in words:
        assert word in sentence


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "none.yaml") in _sentence(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"world: [", "is not YAML"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"", "holds nothing"),
        (b"- world", "holds a list"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(text: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_bytes(text)
    assert words in _sentence(file)


def test_specifications_are_frozen(write: Callable[..., Path]) -> None:
    specification = read_specification(write())
    with pytest.raises(ValidationError, match="frozen"):
        specification.seed = 5
