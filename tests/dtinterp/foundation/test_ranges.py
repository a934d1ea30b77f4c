from dataclasses import dataclass

import pytest

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_above, require_at_least, require_one_of, require_share


@dataclass(frozen=True)
class Settings:
    steps: int = 1
    rate: float = 0.5
    name: str = "short"


def test_numbers_inside_their_range_pass():
    require_at_least(Settings(), 1, "steps")
    require_above(Settings(), 0, "steps", "rate")
    require_share(Settings(), "rate", "steps")


@pytest.mark.parametrize(
    ("require", "settings", "sentence"),
    [
        (lambda it: require_at_least(it, 1, "steps"), Settings(steps=0), "steps is 0, expected at least 1"),
        (lambda it: require_above(it, 0, "rate"), Settings(rate=0.0), "rate is 0.0, expected a number above 0"),
        (lambda it: require_share(it, "rate"), Settings(rate=1.1), "rate is 1.1, expected a number from 0 to 1"),
    ],
)
def test_a_number_outside_its_range_is_named_with_its_value(require, settings, sentence):
    with pytest.raises(UserError, match=f"^{sentence}: give another value.$"):
        require(settings)


@pytest.mark.parametrize("require", [require_at_least, require_above])
def test_what_is_no_number_is_refused(require):
    with pytest.raises(UserError, match="rate is nan"):
        require(Settings(rate=float("nan")), 0, "rate")


def test_a_word_that_is_none_of_the_choices_is_refused_with_all_of_them():
    require_one_of(Settings(), "name", ("short", "long"))
    with pytest.raises(UserError, match="name is 'wide', expected one of short, long: give one of these"):
        require_one_of(Settings(name="wide"), "name", ("short", "long"))
