import shutil

import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.model.published import read_published
from tests.dtinterp.model.conftest import SMALL, WORLD, written_weights


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"n_ctx": 27}, "n_ctx is 27, expected 2, 5, 8, …"),
        ({"n_ctx": 11}, r"\(transformer.pos_embed.W_pos has shape \(8, 12\), not \(11, 12\)\)"),
        ({"d_mlp": 11}, r"blocks.0.mlp.W_in has shape \(12, 10\), not \(12, 11\), .*blocks.1.mlp.W_out has shape"),
        ({"n_layers": 1}, "has transformer.blocks.1.attn.W_K, .* which its settings do not call for"),
        ({"n_layers": 3}, "model.pt lacks transformer.blocks.2.attn.W_K, transformer.blocks.2.attn.W_O, "),
        ({"layer_norm": "LN"}, "lacks transformer.blocks.0.ln1.b, transformer.blocks.0.ln1.w"),
        ({"gated_mlp": True}, "model.pt lacks transformer.blocks.0.mlp.W_gate, transformer.blocks.1.mlp.W_gate: give"),
        ({"layer_norm": "BatchNorm"}, "layer_norm is 'BatchNorm' in model_config of .*, which cannot be imported"),
        ({"activation_fn": "tanh"}, "activation_fn is 'tanh' in model_config"),
        ({"state_embedding_type": "CNN"}, "state_embedding_type is 'CNN' in model_config"),
        ({"time_embedding_type": "linear"}, "time_embedding_type is 'linear' in model_config"),
        ({"n_heads": 5}, "d_model is 12, expected a multiple of n_heads, 5"),
        ({"d_model": "wide"}, "d_model is 'wide' in model_config"),
        ({"rotary": True}, "rotary is True in model_config"),
        ({"d_model": 12 * 10**6}, r"\(reward_embedding.0.weight has shape \(12, 1\), not \(12000000, 1\)"),
        ({"d_mlp": 2**28}, "says that it has weights larger than any memory: make or fetch it again"),
        ({"n_layers": 10**8}, r"has \d+ weights, too few for the 100000000 layers it says: make or fetch"),
    ],
)
def test_settings_that_the_weights_do_not_fit_are_refused(write, option, sentence):
    with pytest.raises(UserError, match=sentence):
        read_published(write({**SMALL, **option}, written_weights(SMALL)))


@pytest.mark.parametrize(
    ("missing", "stray", "sentence"),
    [
        ("reward_embedding.0.weight", "", "model.pt lacks reward_embedding.0.weight: give a checkpoint"),
        ("", "transformer.blocks.0.attn.W_X", "model.pt has transformer.blocks.0.attn.W_X, which its settings do not"),
        ("state_embedding.weight", "b", "lacks state_embedding.weight and has b, which its settings do not call for"),
        ("action_predictor.bias", "", "has no action_predictor.bias with an entry per action, so it does not act"),
    ],
)
def test_missing_and_unexpected_weights_are_named(write, missing, stray, sentence):
    weights = written_weights(SMALL)
    weights.pop(missing, None)
    weights |= {stray: torch.zeros(2)} if stray else {}
    with pytest.raises(UserError, match=sentence):
        read_published(write(SMALL, weights))


@pytest.mark.parametrize("shape", [(12,), (980, 12), (12, 979), (12, 980, 1)])
def test_a_weight_of_another_shape_is_named(write, shape):
    weights = written_weights(SMALL) | {"state_embedding.weight": torch.zeros(shape)}
    with pytest.raises(UserError, match=r"\(state_embedding.weight has shape \(.*\), not \(12, 980\)\)"):
        read_published(write(SMALL, weights))


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"model_state_dict": None}, "has no model_state_dict, which every published checkpoint has"),
        ({"model_config": None, "offline_config": None}, "has no model_config, offline_config, which every"),
        ({"environment_config": "{"}, "environment_config of .*model.pt is no JSON object"),
        ({"model_config": "[1]"}, "model_config of .*model.pt is no JSON object"),
        ({"model_config": 3}, "model_config of .*model.pt is no JSON object"),
        ({"model_config": "[" * 200_000}, "model_config of .*model.pt is no JSON object"),
        ({"offline_config": '{"model_type": "clone_transformer"}'}, "model_type is 'clone_transformer' in offline"),
        ({"model_state_dict": [1, 2]}, "model_state_dict of .*model.pt is a list, expected weights by name"),
        ({"model_state_dict": {"a": 1, "b": torch.ones(1)}}, "a in .*model.pt is no tensor, expected only weights"),
    ],
)
def test_a_file_of_another_make_is_refused(write, parts, sentence):
    with pytest.raises(UserError, match=sentence):
        read_published(write(SMALL, **parts))


def test_a_checkpoint_of_weights_alone_is_refused(tmp_path):
    torch.save(torch.ones(3), tmp_path / "tensor.pt")
    with pytest.raises(UserError, match=r"tensor.pt holds a Tensor, expected a dictionary with model_state_dict"):
        read_published(tmp_path / "tensor.pt")


class Hostile:
    """Writes a file when a careless program loads it."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return shutil.copyfile, (__file__, str(self.trace))


def test_a_file_that_would_run_something_is_refused_and_nothing_is_run(write, tmp_path):
    trace = tmp_path / "trace"
    file = write(SMALL, model_config=Hostile(trace))
    with pytest.raises(UserError, match=r"model.pt would call shutil.copyfile, .* nothing of it was run"):
        read_published(file)
    assert not trace.exists()
    call, arguments = Hostile(trace).__reduce__()
    call(*arguments)
    assert trace.exists()  # the trap was armed


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(write, share):
    file = write(SMALL)
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(
        UserError, match=r"model\.pt is truncated, damaged, or no checkpoint of torch 1.6 or newer: fetch"
    ):
        read_published(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.pt is no file: give the path of a published checkpoint"):
        read_published(tmp_path / "nothing.pt")


@pytest.mark.parametrize(("field", "value"), [("view_size", -7), ("max_steps", 10**8)])
def test_a_world_that_cannot_be_is_refused(write, field, value):
    with pytest.raises(
        UserError, match=f"{field} is -7 in environment_config|says that it has weights larger than any memory"
    ):
        read_published(write(SMALL, world={**WORLD, field: value}))


@pytest.mark.parametrize(
    "odd",
    [
        torch.full((12, 1), torch.nan),
        torch.ones(12, 1, dtype=torch.complex64),
        torch.ones(12, 1, dtype=torch.int64),
        torch.ones(12, 1).to_sparse(),
        torch.ones(12, 1, device="meta"),
    ],
    ids=["not a number", "complex", "whole", "sparse", "without numbers"],
)
def test_a_weight_that_is_no_plain_tensor_is_named(write, odd):
    weights = written_weights(SMALL) | {"reward_embedding.0.weight": odd}
    with pytest.raises(UserError, match=r"reward_embedding.0.weight in .*model.pt is no plain tensor of finite"):
        read_published(write(SMALL, weights))
