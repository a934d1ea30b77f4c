from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformer_lens import ActivationCache

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig
from dtinterp.model.transformer import DecisionTransformer


def padded(windows: Windows, n_pads: int) -> Windows:
    def pad(column, value):
        return functional.pad(column, (n_pads, 0), value=value)

    return Windows(
        rtg=pad(windows.rtg, 0.0),
        frame_id=pad(windows.frame_id, 0),
        action=pad(windows.action, PAD_ACTION),
        time=pad(windows.time, 0),
        mask=pad(windows.mask, False),
        step=pad(windows.step, -1),
    )


def random_model(seed: int, **shape) -> DecisionTransformer:
    model = DecisionTransformer(ModelConfig(**shape), torch.Generator().manual_seed(seed))
    rng = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng) * 0.1)
    return model.eval()


def hooked_logits(model, windows, items):
    return model.run_with_hooks(windows, items, fwd_hooks=[("hook_obs_embed", lambda _, **__: None)])


@given(
    seed=st.integers(0, 1000),
    n_layers=st.integers(1, 3),
    n_heads=st.sampled_from([1, 2, 4]),
    act_fn=st.sampled_from(["gelu", "relu"]),
)
@settings(max_examples=15, deadline=None)
def test_the_fused_path_and_the_hooked_path_agree(windows, items, seed, n_layers, n_heads, act_fn):
    model = random_model(seed, d_model=16, d_mlp=24, n_layers=n_layers, n_heads=n_heads, act_fn=act_fn)
    with torch.no_grad():
        fused, hooked = model(windows, items), hooked_logits(model, windows, items)
    torch.testing.assert_close(fused[windows.mask], hooked[windows.mask], atol=1e-5, rtol=1e-5)


def test_the_fused_path_runs_only_when_nothing_listens(model):
    assert not model.is_listened_to()
    with model.hooks(fwd_hooks=[("blocks.0.hook_mlp_out", lambda _, **__: None)]):
        assert model.is_listened_to()
    assert not model.is_listened_to()


@pytest.mark.parametrize("n_pads", [1, 4, 9])
@pytest.mark.parametrize("n_real", [1, 3])
def test_left_padding_by_any_amount_changes_no_logit_of_a_real_slot(model, windows, items, n_pads, n_real):
    wide = DecisionTransformer(replace(model.cfg, n_slots=20), torch.Generator())
    wide.load_state_dict(model.state_dict())
    short = Windows(**{name: column[:, -n_real:] for name, column in vars(windows).items()})
    with torch.no_grad():
        plain, shifted = wide(short, items), wide(padded(short, n_pads), items)
    torch.testing.assert_close(shifted[:, n_pads:][short.mask], plain[short.mask], atol=1e-5, rtol=1e-5)


def test_what_stands_in_a_pad_changes_nothing(model, windows, items):
    scribbled = replace(
        windows,
        rtg=torch.where(windows.mask, windows.rtg, 5.0),
        frame_id=torch.where(windows.mask, windows.frame_id, len(items) - 1),
        action=torch.where(windows.mask, windows.action, 3),
        time=torch.where(windows.mask, windows.time, 17),
    )
    with torch.no_grad():
        assert torch.equal(model(windows, items)[windows.mask], model(scribbled, items)[windows.mask])


@pytest.mark.parametrize("column", ["rtg", "frame_id", "action"])
def test_a_later_token_never_changes_an_earlier_logit(model, windows, items, column):
    later = getattr(windows, column).clone()
    later[:, 6:] = (later[:, 6:] + 1) % 7
    with torch.no_grad():
        before, after = model(windows, items), model(replace(windows, **{column: later}), items)
    first_changed = 7 if column == "action" else 6  # the action of a slot is read only after that slot's decision
    assert torch.equal(before[:, :first_changed], after[:, :first_changed])
    assert not torch.allclose(before[:, first_changed:], after[:, first_changed:])


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


def test_attention_never_looks_at_a_pad_from_a_real_token(model, windows, items):
    _, cache = model.run_with_cache(windows, items)
    real = windows.mask.repeat_interleave(3, dim=1)[:, :-1]
    to_pad = cache["blocks.1.attn.hook_pattern"].masked_fill(real[:, None, None, :], 0.0)
    assert to_pad.sum(-1)[real[:, None, :].expand(-1, 4, -1)].abs().max() == 0


def test_the_cache_accumulates_to_the_logits(model, windows, items):
    logits, cache = model.run_with_cache(windows, items)
    final = cache["blocks.1.hook_resid_post"][:, 1::3]
    by_hand = functional.layer_norm(final, (32,), model.ln_final.w, model.ln_final.b) @ model.W_U + model.b_U
    torch.testing.assert_close(by_hand, logits, atol=1e-4, rtol=1e-4)


def test_transformer_lens_takes_the_residual_stream_apart(model, windows, items):
    _, tensors = model.run_with_cache(windows, items)
    cache = ActivationCache(tensors, model)
    parts, labels = cache.decompose_resid(return_labels=True)
    assert labels == ["0_attn_out", "0_mlp_out", "1_attn_out", "1_mlp_out"]
    torch.testing.assert_close(
        cache["blocks.0.hook_resid_pre"] + parts.sum(0), cache["blocks.1.hook_resid_post"], atol=1e-4, rtol=1e-4
    )
    heads, labels = cache.stack_head_results(return_labels=True)
    assert labels == [f"L{layer}H{head}" for layer in range(2) for head in range(4)]
    torch.testing.assert_close(
        heads[:4].sum(0) + model.blocks[0].attn.b_O, cache["blocks.0.hook_attn_out"], atol=1e-4, rtol=1e-4
    )
    running, _ = cache.accumulated_resid(return_labels=True)
    assert torch.equal(running[-1], cache["blocks.1.hook_resid_post"])


def test_the_large_model_has_more_than_a_million_parameters():
    large = DecisionTransformer(ModelConfig(d_model=256, n_layers=3, n_heads=8), torch.Generator())
    assert large.n_parameters == sum(tensor.numel() for tensor in large.state_dict().values()) > 1_000_000


def test_two_models_of_one_seed_are_equal_to_the_bit():
    one, other = random_model(5), random_model(5)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_windows_longer_than_the_model_are_refused(model, windows, items):
    with pytest.raises(UserError, match="11 slots, the model was trained on 10"):
        model(padded(windows, 1), items)


def test_times_beyond_the_model_are_refused(model, windows, items):
    with pytest.raises(UserError, match="time 51, the model knows times up to 50"):
        model(replace(windows, time=torch.full_like(windows.time, 51)), items)
