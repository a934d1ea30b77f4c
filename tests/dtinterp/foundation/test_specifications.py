from pathlib import Path

import pytest

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.specifications import Data, read_yaml


class Oven(Data):
    degrees: int


class Recipe(Data):
    flour: int
    oven: Oven


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "cake.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_whole_file_is_read(written):
    assert read_yaml(written("flour: 3\noven: {degrees: 180}"), Recipe, name="cake.yaml").oven.degrees == 180


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"holds nothing, expected fields such as `flour: …`: write them\."),
        ("- flour", r"holds a list, expected fields such as"),
        ("flour: [", r"is not YAML \(while parsing .*\): correct it\."),
        ("flour: 3", r": the field 'oven' is missing: add it\."),
        ("flour: x\noven: {degrees: 1}", r": flour is 'x': input should be a valid integer, .*; correct it\."),
        ("flour: 3\nsugar: 1\noven: {degrees: 1}", r": the field 'sugar' is unknown, expected flour, oven: remove or"),
        ("flour: 3\noven: {degrees: 1, grill: 2}", r": the field 'oven.grill' is unknown, expected degrees: remove or"),
    ],
)
def test_the_first_thing_that_is_wrong_gets_one_sentence(written, text, sentence):
    with pytest.raises(UserError, match=f"cake.yaml ?{sentence}"):
        read_yaml(written(text), Recipe, name="cake.yaml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no cake\.yaml at .*nowhere: give the path of one\."):
        read_yaml(tmp_path / "nowhere", Recipe, name="cake.yaml")
