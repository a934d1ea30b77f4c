import pytest

from dtinterp.features.table import FactValue
from dtinterp.foundation.errors import UserError


@pytest.mark.parametrize(
    ("fact", "value", "label"),
    [
        ("instruction", 1, "instruction = ball"),
        ("direction", 3, "direction = north"),
        ("carrying", 0, "carrying = nothing"),
        ("carrying", 3, "carrying = box"),
        ("carrying_colour", 0, "carrying_colour = none"),
        ("target", 5, "target = key"),
        ("x", 5, "x = 5"),
        ("a fact of another world", 2, "a fact of another world = 2"),
    ],
)
def test_a_fact_value_is_written_in_the_words_of_the_world(fact: str, value: int, label: str) -> None:
    assert FactValue(fact, value).label == label


@pytest.mark.parametrize("value", [-1, 4, 5])
def test_a_number_that_a_fact_does_not_have_is_refused_in_a_sentence(value: int) -> None:
    expected = rf"the fact 'carrying' is {value} somewhere .*, expected 0 to 3 \(nothing, key, ball, box\): collect"
    with pytest.raises(UserError, match=expected):
        _ = FactValue("carrying", value).label


def test_facts_are_told_in_plain_words() -> None:
    assert FactValue("correct_turn", 0).plain_words == "correct turn = left"
