import pytest
from pydantic import TypeAdapter

from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig


def test_a_users_mistake_keeps_its_sentence_when_settings_are_read_from_outside():
    with pytest.raises(UserError, match=r"^n_layers is 0, expected at least 1: give another value\.$"):
        TypeAdapter(ModelConfig).validate_python({"n_layers": 0})


def test_a_sentence_is_one_printable_line_of_bounded_length_whatever_is_in_it():
    told = str(UserError(f"the name is {'x' * 10**6}\n\x1b[31mred\0: give another one."))
    assert len(told) < 1000
    assert told.isprintable()
    assert told.startswith("the name is xxx")
    assert told.endswith(r"\n\x1b[31mred\x00: give another one.")
    assert str(UserError("×, →, … and ü stay.")) == "×, →, … and ü stay."
