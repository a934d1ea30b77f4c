"""A block that is given tokens in two parts, against the block given all of them."""

import torch

from dtinterp.foundation.seeding import generator
from dtinterp.model.config import ModelConfig
from dtinterp.model.network.cached_block import keys_and_values, pass_on
from dtinterp.model.network.transformer import DecisionTransformer


@torch.no_grad()
def test_tokens_passed_on_in_two_parts_are_tokens_passed_on_at_once():
    model = DecisionTransformer(ModelConfig(d_model=16, n_heads=2, d_mlp=8, n_items=30), generator(0, "model"))
    for parameter in model.parameters():
        parameter.normal_(std=0.4, generator=generator(1, str(parameter.shape)))
    block, x = model.layers[0], torch.randn(3, 7, 16, generator=generator(2, "x"))
    causal = torch.ones(7, 7, dtype=torch.bool).tril()
    whole = block(x, causal.expand(3, -1, -1), slice(None))
    past = keys_and_values(block, block.ln1(x[:, :4]))
    rest = pass_on(block, x[:, 4:], past, allowed=causal[4:], queries=slice(None))
    torch.testing.assert_close(rest.x, whole[:, 4:], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(past.followed_by(rest.held).k, keys_and_values(block, block.ln1(x)).k)
    last = pass_on(block, x[:, 4:], past, allowed=causal[4:], queries=slice(2, 3))
    torch.testing.assert_close(last.x, whole[:, 6:], atol=1e-5, rtol=1e-5)
