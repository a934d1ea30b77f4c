import pytest

from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig


def test_ten_slots_are_29_tokens():
    assert ModelConfig().n_ctx == 29
    assert ModelConfig(n_slots=9).n_ctx == 26


def test_heads_fill_the_width():
    assert ModelConfig(d_model=256, n_heads=8).d_head == 32


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ({"d_model": 30}, "d_model is 30, expected a multiple of n_heads, 4: change either"),
        ({"n_heads": 0}, "n_heads is 0, expected at least 1"),
        ({"n_layers": -1}, "n_layers is -1, expected at least 1"),
        ({"max_time": -1}, "max_time is -1, expected at least 0"),
        ({"act_fn": "tanh"}, "act_fn is 'tanh', expected gelu or relu"),
    ],
)
def test_an_impossible_shape_is_refused(shape, sentence):
    with pytest.raises(UserError, match=sentence):
        ModelConfig(**shape)
