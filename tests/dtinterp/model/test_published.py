import pytest
import torch
from torch import nn

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.packing import last_slots
from dtinterp.dataset.windows import Windows
from dtinterp.model.network.frames import ordinal
from dtinterp.model.published import read_published
from tests.dtinterp.model.conftest import OFFLINE, SMALL, WORLD, written_weights


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
