import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.windows.predicate import agrees, number_of, telling, word_of

FACTS = torch.tensor([[0, 4], [1, 4], [1, 5], [0, 6]])
NAMES = ("instruction", "x")


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ({}, [True] * 4),
        ({"instruction": "ball"}, [False, True, True, False]),
        ({"x": (4, 5), "instruction": "key"}, [True, False, False, False]),
        ({"instruction": ("key", "ball"), "x": 6}, [False, False, False, True]),
    ],
)
def test_every_fact_that_is_asked_for_must_hold(where, rows):
    assert agrees(FACTS, NAMES, where).tolist() == rows


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ({"time": 3}, "the fact is 'time', expected one of instruction, x"),
        ({"instruction": "lamp"}, "the fact instruction is 'lamp', expected one of key, ball"),
        ({"x": "key"}, "the fact x is 'key', expected a whole number"),
    ],
)
def test_an_unknown_fact_or_value_is_refused(where, sentence):
    with pytest.raises(UserError, match=sentence):
        agrees(FACTS, NAMES, where)


def test_words_and_numbers_are_inverse():
    assert [word_of("instruction", number_of("instruction", word)) for word in ("key", "ball")] == ["key", "ball"]
    assert word_of("x", 4) == "4"


def test_facts_that_are_the_same_everywhere_tell_nothing():
    assert telling(FACTS[:2], NAMES) == ("instruction",)
    assert telling(FACTS, NAMES, beside=("instruction",)) == ("x",)
