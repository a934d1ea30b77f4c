import pytest
from pydantic import TypeAdapter

from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig, TrainConfig


def test_ten_slots_are_29_tokens():
    assert ModelConfig().n_ctx == 29
    assert ModelConfig(n_slots=9).n_ctx == 26


def test_where_no_return_is_asked_for_a_slot_has_two_tokens():
    config = ModelConfig(return_to_go=False)
    assert config.n_ctx == 19
    assert list(range(19))[config.observation_tokens] == list(range(0, 19, 2))
    assert list(range(29))[ModelConfig().observation_tokens] == list(range(1, 29, 3))


def test_heads_fill_the_width():
    assert ModelConfig(d_model=256, n_heads=8).d_head == 32


def test_a_config_without_the_options_means_what_it_always_meant():
    written = {"act_fn": "gelu", "d_mlp": 256, "d_model": 128, "max_time": 50, "n_actions": 7}
    written |= {"n_heads": 4, "n_items": 980, "n_layers": 2, "n_slots": 10}
    assert TypeAdapter(ModelConfig).validate_python(written) == ModelConfig(
        normalization_type="LN",
        gated_mlp=False,
        time_embedding=True,
        position_embedding=False,
        return_to_go=True,
        attend_to_padding=False,
    )


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ({"d_model": 30}, "d_model is 30, expected a multiple of n_heads, 4: change either"),
        ({"n_heads": 0}, "n_heads is 0, expected at least 1"),
        ({"n_layers": -1}, "n_layers is -1, expected at least 1"),
        ({"max_time": -1}, "max_time is -1, expected at least 0"),
        ({"n_actions": 8}, "n_actions is 8, expected at most 7, which stands for a pad"),
    ],
)
def test_an_impossible_shape_is_refused(shape, sentence):
    with pytest.raises(UserError, match=sentence):
        ModelConfig(**shape)


@pytest.mark.parametrize("option", [{"act_fn": "tanh"}, {"normalization_type": "batch"}])
def test_an_option_of_no_known_kind_is_refused_where_a_config_is_read(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        TypeAdapter(ModelConfig).validate_python(option)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 0}, "steps is 0, expected at least 1"),
        ({"batch_size": -1}, "batch_size is -1, expected at least 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, expected a number above 0"),
        ({"warmup": -1}, "warmup is -1, expected at least 0"),
        ({"n_checkpoints": -1}, "n_checkpoints is -1, expected at least 0"),
        ({"n_micro_batches": 0}, "n_micro_batches is 0, expected at least 1"),
        ({"n_micro_batches": 5, "batch_size": 4}, "n_micro_batches is 5, expected at most batch_size, 4: change"),
        ({"held_out": 1.0}, "held_out is 1.0, expected a share between 0 and 1"),
    ],
)
def test_a_training_that_cannot_be_run_is_refused(change, sentence):
    with pytest.raises(UserError, match=sentence):
        TrainConfig(**change)


@pytest.mark.parametrize(
    ("config", "name", "word", "choices"),
    [
        (ModelConfig(), "act_fn", "tanh", "gelu, relu, silu"),
        (ModelConfig(), "normalization_type", "batch", "none, LN, LNPre, RMS, RMSPre"),
        (TrainConfig(), "learning_rate_schedule", "linear", "constant, cosine"),
        (TrainConfig(), "precision", "float16", "float32, bfloat16"),
        (TrainConfig(), "device", "tpu", "auto, cpu, cuda"),
    ],
)
def test_a_word_of_no_known_kind_is_refused(config, name, word, choices):
    object.__setattr__(config, name, word)  # the tests' own type checker would refuse it in the constructor
    with pytest.raises(UserError, match=f"{name} is '{word}', expected one of {choices}: give one of these"):
        config.__post_init__()
