import pytest

from dtinterp.features.table import FactValue


@pytest.mark.parametrize(
    ("fact", "value", "label"),
    [
        ("instruction", 1, "instruction = ball"),
        ("direction", 3, "direction = north"),
        ("carrying", 0, "carrying = nothing"),
        ("x", 5, "x = 5"),
        ("a fact of another world", 2, "a fact of another world = 2"),
    ],
)
def test_a_fact_value_is_written_in_the_words_of_the_world(fact: str, value: int, label: str) -> None:
    assert FactValue(fact, value).label == label
