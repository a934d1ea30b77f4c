from typing import TypeVar

import pytest
import torch
from einops import rearrange
from torch import nn
from torch.nn import functional
from transformer_lens.hook_points import HookPoint

from dtinterp.model.config import ModelConfig
from dtinterp.model.network.layers import MLP, Attention, Block, GatedMLP
from dtinterp.model.network.tokens import allowed_attention

OBSERVATION = ModelConfig().observation_tokens

CONFIG = ModelConfig(d_model=12, n_heads=3, d_mlp=20, n_slots=4)
Layer = TypeVar("Layer", bound=nn.Module)


def randomised(module: Layer) -> Layer:
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.5, generator=rng)
    return module


@pytest.fixture
def x():
    return 3 * torch.randn(5, 11, 12, generator=torch.Generator().manual_seed(1)) + 1


@pytest.fixture
def allowed():
    n_real = torch.tensor([4, 3, 2, 1, 4])
    return allowed_attention(torch.arange(4) >= 4 - n_real[:, None])


def test_attention_is_torchs_multihead_attention_on_both_paths(x, allowed):
    attention = randomised(Attention(CONFIG))
    peer = nn.MultiheadAttention(12, 3, batch_first=True)
    projections = [attention.W_Q, attention.W_K, attention.W_V]
    biases = [attention.b_Q, attention.b_K, attention.b_V]
    with torch.no_grad():
        peer.in_proj_weight.copy_(torch.cat([rearrange(weight, "head m d -> (head d) m") for weight in projections]))
        peer.in_proj_bias.copy_(torch.cat([bias.flatten() for bias in biases]))
        peer.out_proj.weight.copy_(rearrange(attention.W_O, "head d m -> m (head d)"))
        peer.out_proj.bias.copy_(attention.b_O)
    theirs, _ = peer(x, x, x, attn_mask=~allowed.repeat_interleave(3, dim=0), need_weights=False)
    torch.testing.assert_close(attention.hooked(x, allowed), theirs, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(attention.fused(x, allowed, slice(None)), theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("act_fn", "activation"), [("gelu", functional.gelu), ("relu", torch.relu)])
def test_the_mlp_is_two_matrices_and_a_nonlinearity_on_both_paths(x, act_fn, activation):
    mlp = randomised(MLP(ModelConfig(d_model=12, n_heads=3, d_mlp=20, act_fn=act_fn)))
    expected = activation(x @ mlp.W_in + mlp.b_in) @ mlp.W_out + mlp.b_out
    torch.testing.assert_close(mlp.hooked(x), expected)
    torch.testing.assert_close(mlp.fused(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("act_fn", "activation"), [("gelu", functional.gelu), ("relu", torch.relu), ("silu", functional.silu)]
)
def test_the_gated_mlp_multiplies_two_views_of_its_input_on_both_paths(x, act_fn, activation):
    mlp = randomised(GatedMLP(ModelConfig(d_model=12, n_heads=3, d_mlp=20, act_fn=act_fn, gated_mlp=True)))
    gate, linear = activation(x @ mlp.W_gate + mlp.b_gate), x @ mlp.W_in + mlp.b_linear
    expected = (gate * linear + mlp.b_in) @ mlp.W_out + mlp.b_out
    torch.testing.assert_close(mlp.hooked(x), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(mlp.fused(x), expected, atol=1e-4, rtol=1e-4)


def test_the_hooks_of_a_gated_mlp_show_what_transformer_lens_shows_there(x):
    mlp = randomised(GatedMLP(ModelConfig(d_model=12, n_heads=3, d_mlp=20, act_fn="relu", gated_mlp=True)))
    seen = {}
    for name in ("hook_pre", "hook_pre_linear", "hook_post"):
        getattr(mlp, name).add_hook(lambda tensor, name=name, **_: seen.update({name: tensor}))
    written = mlp.hooked(x)
    assert torch.equal(seen["hook_post"], seen["hook_pre"].relu() * seen["hook_pre_linear"] + mlp.b_in)
    assert torch.equal(written, seen["hook_post"] @ mlp.W_out + mlp.b_out)


def test_what_the_heads_write_adds_up_to_what_attention_writes(x, allowed):
    attention = randomised(Attention(CONFIG))
    unheard = attention.hooked(x, allowed)
    seen = []
    attention.hook_result.add_hook(lambda tensor, **_: seen.append(tensor))
    torch.testing.assert_close(attention.hooked(x, allowed), unheard, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(seen[0].sum(dim=2) + attention.b_O, unheard, atol=1e-5, rtol=1e-5)


def test_a_head_that_a_hook_silences_writes_nothing(x, allowed):
    attention = randomised(Attention(CONFIG))
    silent = randomised(Attention(CONFIG))
    with torch.no_grad():
        silent.W_O[1] = 0.0

    def silence(tensor, **_):
        tensor[:, :, 1] = 0.0
        return tensor

    attention.hook_result.add_hook(silence)
    torch.testing.assert_close(attention.hooked(x, allowed), silent.hooked(x, allowed), atol=1e-5, rtol=1e-5)


def test_a_block_computes_the_chosen_tokens_as_it_would_all(x, allowed):
    block = randomised(Block(CONFIG))
    whole = block(x, allowed, slice(None))
    torch.testing.assert_close(block(x, allowed, OBSERVATION), whole[:, OBSERVATION], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "hook", ["hook_resid_mid", "ln1.hook_scale", "attn.hook_z", "attn.hook_result", "mlp.hook_pre"]
)
def test_a_block_shows_every_token_and_computes_the_same_whoever_listens(x, allowed, hook):
    block = randomised(Block(CONFIG))
    plain, seen = block(x, allowed, OBSERVATION), []
    point = block.get_submodule(hook)
    assert isinstance(point, HookPoint)
    point.add_hook(lambda tensor, **_: seen.append(tensor))
    torch.testing.assert_close(block(x, allowed, OBSERVATION), plain, atol=1e-4, rtol=1e-4)
    assert [tensor.shape[:2] for tensor in seen] == [x.shape[:2]]


def test_what_a_hook_puts_in_place_goes_on(x, allowed):
    attention = randomised(Attention(CONFIG))
    attention.hook_z.add_hook(lambda tensor, **_: torch.zeros_like(tensor))
    assert torch.equal(attention.hooked(x, allowed), attention.b_O.expand_as(x))


@pytest.mark.parametrize("queries", [slice(None), OBSERVATION])
def test_attention_under_bfloat16_autocast_is_that_of_float32_but_for_rounding(x, allowed, queries):
    attention = randomised(Attention(CONFIG))
    with torch.autocast("cpu", torch.bfloat16):
        low = attention.fused(x, allowed, queries)
    full = attention.fused(x, allowed, queries)
    assert low.dtype == torch.bfloat16
    assert functional.cosine_similarity(low.float().flatten(), full.flatten(), dim=0) > 0.999
