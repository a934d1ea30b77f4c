import pytest
from pydantic import TypeAdapter

from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig


def test_a_users_mistake_keeps_its_sentence_when_settings_are_read_from_outside():
    with pytest.raises(UserError, match=r"^n_layers is 0, expected at least 1: give another value\.$"):
        TypeAdapter(ModelConfig).validate_python({"n_layers": 0})
