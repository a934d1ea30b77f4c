from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformer_lens import ActivationCache

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig
from dtinterp.model.network.transformer import DecisionTransformer


def heard_logits(model, windows, items, names):
    """Logits of real slots while somebody listens at these hooks and changes nothing."""
    hooks = [(name, lambda _, **__: None) for name in names]
    return model.run_with_hooks(windows, items, fwd_hooks=hooks)[windows.mask]


def assert_alike(logits, others):
    """What is promised of the two paths in float32."""
    torch.testing.assert_close(logits, others, atol=1e-5 * float(others.abs().max().clamp(min=1)), rtol=0)


SHAPES = st.fixed_dictionaries(
    {
        "d_model": st.sampled_from([8, 16, 32]),
        "d_mlp": st.integers(1, 40),
        "n_layers": st.integers(1, 3),
        "n_heads": st.sampled_from([1, 2, 4]),
        "act_fn": st.sampled_from(["gelu", "relu", "silu"]),
        "normalization_type": st.sampled_from(["none", "LN", "LNPre", "RMS", "RMSPre"]),
        "gated_mlp": st.booleans(),
        "time_embedding": st.booleans(),
        "position_embedding": st.booleans(),
        "return_to_go": st.booleans(),
        "attend_to_padding": st.booleans(),
    }
)


@given(seed=st.integers(0, 1000), shape=SHAPES)
@settings(max_examples=25, deadline=None)
def test_the_fused_path_and_the_hooked_path_agree(draw_model, windows, items, seed, shape):
    model = draw_model(seed, **shape)
    with torch.no_grad():
        assert_alike(model(windows, items)[windows.mask], heard_logits(model, windows, items, model.hook_dict))


@given(seed=st.integers(0, 1000), shape=SHAPES, drawn=st.data())
@settings(max_examples=25, deadline=None)
def test_whoever_listens_where_the_logits_agree(draw_model, windows, items, seed, shape, drawn):
    model = draw_model(seed, **shape)
    hooks = st.lists(st.sampled_from(sorted(model.hook_dict)), unique=True)
    one, other = drawn.draw(hooks, label="one"), drawn.draw(hooks, label="other")
    with torch.no_grad():
        heard = [heard_logits(model, windows, items, names) for names in (one, other)]
        assert_alike(*heard)
        assert_alike(heard[0], model(windows, items)[windows.mask])


def test_one_listener_sees_what_a_listener_everywhere_sees(variant, windows, items):
    with torch.no_grad():
        logits, everything = variant.run_with_cache(windows, items)
        for name in variant.hook_dict:
            alone, seen = variant.run_with_cache(windows, items, names_filter=name)
            torch.testing.assert_close(seen[name], everything[name], atol=1e-4, rtol=1e-4)
            assert_alike(alone[windows.mask], logits[windows.mask])


def test_a_model_knows_whether_somebody_listens(model):
    assert not model.is_listened_to()
    with model.hooks(fwd_hooks=[("blocks.0.hook_mlp_out", lambda _, **__: None)]):
        assert model.is_listened_to()
    assert not model.is_listened_to()


def test_a_clone_is_told_no_return(draw_model, windows, items):
    clone = draw_model(return_to_go=False)
    with torch.no_grad():
        _, cache = clone.run_with_cache(windows, items)
        assert torch.equal(clone(windows, items), clone(replace(windows, rtg=windows.rtg + 1), items))
    assert "hook_rtg_embed" not in cache
    assert cache["blocks.0.hook_resid_pre"].shape[1] == clone.cfg.n_ctx == 19


@pytest.mark.parametrize(
    ("options", "hook"),
    [
        ({"return_to_go": False}, "hook_rtg_embed"),
        ({"time_embedding": False}, "hook_time_embed"),
        ({"position_embedding": False}, "hook_pos_embed"),
    ],
)
def test_what_a_model_lacks_cannot_be_hooked(draw_model, windows, items, options, hook):
    with pytest.raises((KeyError, ValueError), match=hook):
        draw_model(**options).run_with_hooks(windows, items, fwd_hooks=[(hook, lambda *_, **__: None)])


def test_a_model_without_times_knows_no_time_limit(draw_model, windows, items):
    late = replace(windows, time=windows.time + 1000)
    model = draw_model(time_embedding=False)
    with torch.no_grad():
        assert torch.equal(model(late, items), model(windows, items))


@pytest.mark.parametrize("column", ["rtg", "frame_id", "action"])
def test_a_later_token_never_changes_an_earlier_logit(variant, windows, items, column):
    later = getattr(windows, column).clone()
    later[:, 6:] = (later[:, 6:] + 1) % 7
    with torch.no_grad():
        before, after = variant(windows, items), variant(replace(windows, **{column: later}), items)
    first_changed = 7 if column == "action" else 6  # the action of a slot is read only after that slot's decision
    earlier = windows.mask[:, :first_changed]
    assert torch.equal(before[:, :first_changed][earlier], after[:, :first_changed][earlier])
    is_read = column != "rtg" or variant.cfg.return_to_go
    assert torch.allclose(before[:, first_changed:], after[:, first_changed:]) is not is_read


def test_each_slot_reads_its_own_observation(model, windows, items):
    other = windows.frame_id.clone()
    other[:, -1] = (other[:, -1] + 1) % len(items)
    with torch.no_grad():
        before, after = model(windows, items), model(replace(windows, frame_id=other), items)
    assert not torch.allclose(before[:, -1], after[:, -1])


def test_the_cache_holds_the_residual_stream_that_adds_up(model, windows, items):
    _, cache = model.run_with_cache(windows, items)
    after = cache["blocks.0.hook_resid_pre"] + cache["blocks.0.hook_attn_out"] + cache["blocks.0.hook_mlp_out"]
    torch.testing.assert_close(cache["blocks.1.hook_resid_pre"], after)
    assert cache["blocks.0.attn.hook_pattern"].shape == (len(windows), 4, 29, 29)


def test_the_cache_accumulates_to_the_logits(model, windows, items):
    logits, cache = model.run_with_cache(windows, items)
    final = cache["blocks.1.hook_resid_post"][:, 1::3]
    by_hand = functional.layer_norm(final, (32,), model.ln_final.w, model.ln_final.b) @ model.W_U + model.b_U
    torch.testing.assert_close(by_hand, logits, atol=1e-4, rtol=1e-4)


def test_transformer_lens_takes_the_residual_stream_apart(variant, windows, items):
    _, tensors = variant.run_with_cache(windows, items)
    cache = ActivationCache(tensors, variant)
    parts, labels = cache.decompose_resid(return_labels=True)
    embeddings = ["embed", "pos_embed"] if variant.cfg.position_embedding else ["embed"]
    assert labels == [*embeddings, "0_attn_out", "0_mlp_out", "1_attn_out", "1_mlp_out"]
    torch.testing.assert_close(parts.sum(0), cache["blocks.1.hook_resid_post"], atol=1e-4, rtol=1e-4)
    heads, labels = cache.stack_head_results(return_labels=True)
    assert labels == [f"L{layer}H{head}" for layer in range(2) for head in range(2)]
    torch.testing.assert_close(
        heads[:2].sum(0) + variant.blocks[0].attn.b_O, cache["blocks.0.hook_attn_out"], atol=1e-4, rtol=1e-4
    )
    running, _ = cache.accumulated_resid(return_labels=True)
    assert torch.equal(running[-1], cache["blocks.1.hook_resid_post"])


def test_transformer_lens_norms_a_decomposition_as_the_model_norms_the_whole(variant, windows, items):
    logits, tensors = variant.run_with_cache(windows, items)
    cache = ActivationCache(tensors, variant)
    written, _ = cache.decompose_resid(return_labels=True)
    parts = cache.apply_ln_to_stack(written)[:, :, variant.cfg.observation_tokens]
    weights = dict(variant.ln_final.named_parameters())
    scaled = parts.sum(0) * weights.get("w", 1.0) + weights.get("b", 0.0)
    torch.testing.assert_close(scaled @ variant.W_U + variant.b_U, logits, atol=1e-4, rtol=1e-4)


def test_the_hooks_have_transformer_lens_names(draw_model):
    names = set(draw_model(n_layers=1, gated_mlp=True, position_embedding=True).hook_dict)
    attention = ("q", "k", "v", "attn_scores", "pattern", "z", "result")
    block = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out")
    norms = ("blocks.0.ln1", "blocks.0.ln2", "ln_final")
    assert names == {
        *("hook_rtg_embed", "hook_obs_embed", "hook_action_embed", "hook_time_embed", "hook_embed", "hook_pos_embed"),
        *(f"blocks.0.{name}" for name in block),
        *(f"blocks.0.attn.hook_{name}" for name in attention),
        *(f"blocks.0.mlp.hook_{name}" for name in ("pre", "pre_linear", "post")),
        *(f"{norm}.hook_{name}" for norm in norms for name in ("scale", "normalized")),
    }


def test_the_large_model_has_more_than_a_million_parameters():
    large = DecisionTransformer(ModelConfig(d_model=256, n_layers=3, n_heads=8), torch.Generator())
    assert large.n_parameters == sum(tensor.numel() for tensor in large.state_dict().values()) > 1_000_000


def test_two_models_of_one_seed_are_equal_to_the_bit():
    one, other = (DecisionTransformer(ModelConfig(), torch.Generator().manual_seed(5)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_times_beyond_the_model_are_refused(model, windows, items):
    with pytest.raises(UserError, match="time 51, the model knows times up to 50"):
        model(replace(windows, time=torch.full_like(windows.time, 51)), items)


@pytest.mark.parametrize(
    ("options", "changed", "sentence"),
    [
        ({"n_actions": 3}, {"action": 3}, "a window holds action 3, the model knows actions 0 to 2: use a world with"),
        ({"n_actions": 3}, {"action": 5}, "a window holds action 5, the model knows actions 0 to 2"),
        ({}, {"action": 8}, "a window holds action 8, the model knows actions 0 to 6"),
        ({}, {"action": -1}, "a window holds action -1, the model knows actions 0 to 6"),
        ({}, {"frame_id": 5}, "a window shows frame 5, the table has frames 0 to 4: give the table that the windows"),
        ({}, {"frame_id": -1}, "a window shows frame -1, the table has frames 0 to 4"),
        ({}, {"time": -1}, "a window holds time -1, the model knows times up to 50"),
        ({"attend_to_padding": True}, {"frame_id": 7}, "a window shows frame 7, the table has frames 0 to 4"),
    ],
    ids=str,
)
def test_what_no_embedding_stands_for_is_refused(draw_model, windows, items, options, changed, sentence):
    model, table = draw_model(**options), items[:5]
    shown = replace(windows, frame_id=windows.frame_id % 5, action=windows.action * 0 + PAD_ACTION)
    model(shown, table)
    for name, value in changed.items():
        column = getattr(shown, name).clone()
        column[3, -1] = value
        with pytest.raises(UserError, match=sentence):
            model(replace(shown, **{name: column}), table)


def test_no_windows_are_no_mistake(model, windows, items):
    assert model(windows[:0], items).shape == (0, 10, 7)


def test_frames_coded_otherwise_are_refused(draw_model, windows, items):
    with pytest.raises(UserError, match="the frames are coded in 980 numbers, the model reads 147: code them"):
        draw_model(n_items=147)(windows, items)


def test_transformer_lens_own_transformer_computes_the_same(variant, windows, items, rebuild, embedded):
    full = windows[windows.mask.all(dim=1)]  # their transformer masks no pads
    with torch.no_grad():
        for name, weight in variant.named_parameters():
            if name.endswith(("b_gate", "b_linear")):
                weight.zero_()
        theirs = rebuild(variant)(embedded(variant, full, items))[:, variant.cfg.observation_tokens]
        torch.testing.assert_close(variant(full, items), theirs, atol=1e-4, rtol=1e-4)
