import json
import shutil
from collections import OrderedDict

import pytest
import torch
from torch import nn

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.packing import last_slots
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.model.frames import ordinal
from dtinterp.model.published import read_published

SMALL = {"d_model": 12, "n_heads": 3, "d_mlp": 10, "n_layers": 2, "n_ctx": 8, "seed": 3, "device": "cpu"}
WORLD = {"env_id": "MiniGrid-MemoryS7FixedStart-v0", "one_hot_obs": True, "view_size": 7, "max_steps": 60}
OFFLINE = {"model_type": "decision_transformer", "convert_to_one_hot": True, "lr": 0.001}
WORDS = ("model_config", "environment_config", "offline_config")


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def written_weights(model_config, *, n_items=980, n_actions=7, n_times=61):
    """A state dict as the published code saved it, for any of its settings."""
    full = {**SMALL, "layer_norm": None, "gated_mlp": False, **model_config}
    width, heads, hidden, n_ctx = (full[name] for name in ("d_model", "n_heads", "d_mlp", "n_ctx"))
    weights = OrderedDict(
        {
            "action_embedding.0.weight": drawn(n_actions + 1, width),
            "time_embedding.weight": drawn(n_times, width),
            "state_embedding.weight": drawn(width, n_items) / 5,
            "transformer.pos_embed.W_pos": drawn(n_ctx, width),
        }
    )
    for layer in range(full["n_layers"]):
        block = f"transformer.blocks.{layer}."
        for norm in ("ln1", "ln2") if full["layer_norm"] in ("LN", True) else ():
            weights |= {f"{block}{norm}.w": drawn(width), f"{block}{norm}.b": drawn(width)}
        for name in ("W_Q", "W_K", "W_V"):
            weights[f"{block}attn.{name}"] = drawn(heads, width, width // heads) / 3
        weights[f"{block}attn.W_O"] = drawn(heads, width // heads, width) / 3
        for name in ("b_Q", "b_K", "b_V"):
            weights[f"{block}attn.{name}"] = drawn(heads, width // heads)
        weights |= {f"{block}attn.b_O": drawn(width), f"{block}attn.mask": torch.ones(n_ctx, n_ctx).bool().tril()}
        weights |= {f"{block}attn.IGNORE": torch.tensor(-1e5), f"{block}mlp.W_in": drawn(width, hidden) / 3}
        if full["gated_mlp"]:
            weights[f"{block}mlp.W_gate"] = drawn(width, hidden) / 3
        weights |= {f"{block}mlp.b_in": drawn(hidden), f"{block}mlp.W_out": drawn(hidden, width) / 3}
        weights[f"{block}mlp.b_out"] = drawn(width)
    if full["layer_norm"] in ("LN", True):
        weights |= {"transformer.ln_final.w": drawn(width), "transformer.ln_final.b": drawn(width)}
    for head, n_outputs in (("action", n_actions), ("state", n_items), ("reward", 1)):
        weights |= {f"{head}_predictor.weight": drawn(n_outputs, width), f"{head}_predictor.bias": drawn(n_outputs)}
    weights["reward_embedding.0.weight"] = drawn(width, 1)
    return weights


def slow_logits(weights, model_config, windows, items):
    """The published computation, written out row by row; pads are frames without items, and are attended to."""
    config = {"layer_norm": None, "activation_fn": "relu", "gated_mlp": False, **model_config}
    logits = []
    for row in range(len(windows)):
        tokens = slow_tokens(weights, windows[row : row + 1], items)
        rows = [token + place for token, place in zip(tokens, weights["transformer.pos_embed.W_pos"], strict=False)]
        for layer in range(config["n_layers"]):
            rows = slow_block(weights, config, rows, f"transformer.blocks.{layer}")
        seen = torch.stack([slow_norm(weights, config, x, "transformer.ln_final") for x in rows[1::3]])
        logits.append(seen @ weights["action_predictor.weight"].T + weights["action_predictor.bias"])
    return torch.stack(logits)


def slow_tokens(weights, window, items):
    """R S A of every slot of one window."""
    first = int(window.mask[0].int().argmax())
    n_actions = len(weights["action_embedding.0.weight"]) - 1
    for slot in range(window.n_slots):
        is_real = bool(window.mask[0, slot])
        frame = items[window.frame_id[0, slot]] if is_real else torch.zeros(items.shape[1])
        action = int(window.action[0, slot])
        time = weights["time_embedding.weight"][int(window.time[0, slot])]
        yield weights["reward_embedding.0.weight"] @ window.rtg[0, slot if is_real else first][None] + time
        yield weights["state_embedding.weight"] @ frame + time
        yield weights["action_embedding.0.weight"][n_actions if action == PAD_ACTION else action] + time


def slow_block(weights, config, rows, block):
    normed = torch.stack([slow_norm(weights, config, x, f"{block}.ln1") for x in rows])
    written = slow_attention(weights, normed, f"{block}.attn")
    rows = [x + change for x, change in zip(rows, written, strict=True)]
    return [x + slow_mlp(weights, config, slow_norm(weights, config, x, f"{block}.ln2"), f"{block}.mlp") for x in rows]


def slow_norm(weights, config, x, name):
    if config["layer_norm"] in (None, False):
        return x
    centred = x - x.mean()
    x = centred / (centred.square().mean() + 1e-5).sqrt()
    return x if config["layer_norm"] == "LNPre" else x * weights[f"{name}.w"] + weights[f"{name}.b"]


def slow_attention(weights, x, name):
    total = weights[f"{name}.b_O"]
    future = torch.ones(len(x), len(x)).triu(1).bool()
    for head in range(len(weights[f"{name}.W_O"])):
        q, k, v = (x @ weights[f"{name}.W_{kind}"][head] + weights[f"{name}.b_{kind}"][head] for kind in "QKV")
        pattern = (q @ k.T / q.shape[1] ** 0.5).masked_fill(future, -torch.inf).softmax(-1)
        total = total + pattern @ v @ weights[f"{name}.W_O"][head]
    return total


def slow_mlp(weights, config, x, name):
    activation = getattr(nn.functional, config["activation_fn"])
    hidden = x @ weights[f"{name}.W_in"]
    if config["gated_mlp"]:
        hidden = activation(x @ weights[f"{name}.W_gate"]) * hidden + weights[f"{name}.b_in"]
    else:
        hidden = activation(hidden + weights[f"{name}.b_in"])
    return hidden @ weights[f"{name}.W_out"] + weights[f"{name}.b_out"]


@pytest.fixture
def write(tmp_path):
    """Write a checkpoint as the published code did, and return its path."""

    def written(model_config, /, weights=None, world=WORLD, offline=OFFLINE, **parts):
        contents = {
            "model_state_dict": written_weights(model_config) if weights is None else weights,
            "offline_config": json.dumps(offline),
            "environment_config": json.dumps(world),
            "model_config": json.dumps(model_config),
        }
        contents = {name: part for name, part in {**contents, **parts}.items() if part is not None}
        torch.save(contents, tmp_path / "model.pt")
        return tmp_path / "model.pt"

    return written


@pytest.mark.parametrize(
    "options",
    [
        {"layer_norm": "LN", "gated_mlp": True, "activation_fn": "relu", "state_embedding_type": "grid"},
        {"layer_norm": "LN", "gated_mlp": False, "activation_fn": "gelu", "time_embedding_type": "embedding"},
        {"layer_norm": "LNPre", "gated_mlp": True, "activation_fn": "silu"},
        {"layer_norm": False},
        {"layer_norm": None},
        {"layer_norm": True},
        {},
        {"n_ctx": 2},
        {"n_ctx": 14, "layer_norm": "LN"},
    ],
    ids=str,
)
def test_every_variant_computes_what_the_published_code_does(write, windows, items, options):
    config = {**SMALL, **options}
    model = read_published(write(config)).model
    shown = last_slots(windows[:12], model.cfg.n_slots)
    with torch.no_grad():
        logits = model(shown, items)
    expected = slow_logits(written_weights(config), config, shown, items)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


def test_frames_may_be_the_numbers_they_are_made_of(write, windows, trajectories):
    weights = written_weights(SMALL, n_items=147)
    model = read_published(write(SMALL, weights, world={"max_steps": 60}, offline={})).model
    shown = last_slots(windows[:12], 3)
    numbers = ordinal(trajectories.frames)
    with torch.no_grad():
        logits = model(shown, numbers)
    torch.testing.assert_close(logits, slow_logits(weights, SMALL, shown, numbers), atol=1e-3, rtol=1e-4)


def test_a_world_may_have_other_actions(write, windows, items):
    weights = written_weights(SMALL, n_actions=3)
    few = last_slots(windows[:12], 3)
    few = Windows(**{**vars(few), "action": torch.where(few.action == PAD_ACTION, PAD_ACTION, few.action % 3)})
    model = read_published(write(SMALL, weights)).model
    with torch.no_grad():
        torch.testing.assert_close(model(few, items), slow_logits(weights, SMALL, few, items), atol=1e-4, rtol=1e-4)


def test_what_an_early_file_leaves_out_has_its_predecessors_default(write):
    weights = written_weights({"d_model": 128, "n_heads": 4, "d_mlp": 256, "n_layers": 2, "n_ctx": 2}, n_times=1001)
    model = read_published(write({}, weights, world={"one_hot_obs": True}, offline={})).model
    shape = model.cfg
    assert (shape.d_model, shape.n_heads, shape.d_mlp, shape.n_layers, shape.n_slots) == (128, 4, 256, 2, 1)
    assert (shape.act_fn, shape.gated_mlp, shape.normalization_type, shape.max_time) == ("relu", False, "none", 1000)


def test_what_the_file_says_of_itself_is_kept(write):
    published = read_published(write({**SMALL, "layer_norm": "LN"}))
    assert published.settings == {
        "model_config": {**SMALL, "layer_norm": "LN"},
        "environment_config": WORLD,
        "offline_config": OFFLINE,
    }
    assert published.seed == 3
    assert len(published.sha256) == 64


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
    with pytest.raises(UserError, match=r"model\.pt is truncated, damaged, or no checkpoint of torch: fetch it again"):
        read_published(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.pt is no file: give the path of a published checkpoint"):
        read_published(tmp_path / "nothing.pt")


def test_an_imported_model_is_the_same_on_transformer_lens_own_transformer(write, windows, items, rebuild, embedded):
    model = read_published(write({**SMALL, "layer_norm": "LN", "gated_mlp": True})).model
    shown = last_slots(windows, 3)
    with torch.no_grad():
        theirs = rebuild(model)(embedded(model, shown, items))[:, 1::3]
        torch.testing.assert_close(model(shown, items), theirs, atol=1e-4, rtol=1e-4)


def test_the_published_model_is_the_same_on_transformer_lens_own_transformer(
    published, windows, items, rebuild, embedded
):
    shown = last_slots(windows, 9)
    with torch.no_grad():
        theirs = rebuild(published)(embedded(published, shown, items))[:, 1::3]
        torch.testing.assert_close(published(shown, items), theirs, atol=1e-3, rtol=1e-4)
