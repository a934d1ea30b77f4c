"""The parts of a block, each with two paths that agree: `hooked` shows every step, `fused` is fast.

Calling a part takes the path that is needed: the hooked one where somebody listens inside it. Weights and hooks carry
TransformerLens's names and shapes.
"""

import torch
from einops import einsum, rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional
from transformer_lens.hook_points import HookPoint

from dtinterp.model.config import ModelConfig
from dtinterp.model.network.hooks_active import is_heard, is_listened_to
from dtinterp.model.network.normalization import norm_of

ACTIVATIONS = {"gelu": functional.gelu, "relu": functional.relu, "silu": functional.silu}


class Attention(nn.Module):
    """Multi-head attention, weights per head."""

    def __init__(self, config: ModelConfig) -> None:
        """Reserve the weights; the transformer initialises them."""
        super().__init__()
        n_heads, d_model, d_head = config.n_heads, config.d_model, config.d_head
        self.W_Q = nn.Parameter(torch.empty(n_heads, d_model, d_head))
        self.W_K = nn.Parameter(torch.empty(n_heads, d_model, d_head))
        self.W_V = nn.Parameter(torch.empty(n_heads, d_model, d_head))
        self.W_O = nn.Parameter(torch.empty(n_heads, d_head, d_model))
        self.b_Q = nn.Parameter(torch.zeros(n_heads, d_head))
        self.b_K = nn.Parameter(torch.zeros(n_heads, d_head))
        self.b_V = nn.Parameter(torch.zeros(n_heads, d_head))
        self.b_O = nn.Parameter(torch.zeros(d_model))
        self.hook_q, self.hook_k, self.hook_v, self.hook_z = HookPoint(), HookPoint(), HookPoint(), HookPoint()
        self.hook_attn_scores, self.hook_pattern, self.hook_result = HookPoint(), HookPoint(), HookPoint()

    def forward(
        self, x: Float[Tensor, "batch token d_model"], allowed: Bool[Tensor, "batch query key"], queries: slice
    ) -> Float[Tensor, "batch chosen d_model"]:
        """Attend from the chosen tokens on the path that is needed."""
        return self.hooked(x, allowed)[:, queries] if is_listened_to(self) else self.fused(x, allowed, queries)

    def hooked(
        self, x: Float[Tensor, "batch token d_model"], allowed: Bool[Tensor, "batch query key"]
    ) -> Float[Tensor, "batch token d_model"]:
        """Attend, showing q, k, v, scores, pattern, z and, where somebody looks, what each head writes."""
        project = "batch token d_model, head d_model d_head -> batch token head d_head"
        q = self.hook_q(einsum(x, self.W_Q, project) + self.b_Q)
        k = self.hook_k(einsum(x, self.W_K, project) + self.b_K)
        v = self.hook_v(einsum(x, self.W_V, project) + self.b_V)
        scores = einsum(q, k, "batch query head d, batch key head d -> batch head query key") / q.shape[-1] ** 0.5
        scores = self.hook_attn_scores(scores.masked_fill(~allowed[:, None], -torch.inf))
        pattern = self.hook_pattern(scores.softmax(-1))
        z = self.hook_z(einsum(pattern, v, "batch head query key, batch key head d -> batch query head d"))
        if not is_heard(self.hook_result):
            return einsum(z, self.W_O, "batch token head d, head d d_model -> batch token d_model") + self.b_O
        result = einsum(z, self.W_O, "batch token head d, head d d_model -> batch token head d_model")
        return self.hook_result(result).sum(dim=2) + self.b_O

    def fused(
        self, x: Float[Tensor, "batch token d_model"], allowed: Bool[Tensor, "batch query key"], queries: slice
    ) -> Float[Tensor, "batch chosen d_model"]:
        """Attend from the chosen tokens only, in one kernel."""
        z = _attend(
            _project(x[:, queries], self.W_Q, self.b_Q),
            _project(x, self.W_K, self.b_K),
            _project(x, self.W_V, self.b_V),
            allowed[:, None, queries],
        )
        joined = rearrange(z, "batch head query d -> batch query (head d)")
        return functional.linear(joined, rearrange(self.W_O, "head d d_model -> d_model (head d)"), self.b_O)


class MLP(nn.Module):
    """One hidden layer."""

    def __init__(self, config: ModelConfig) -> None:
        """Reserve the weights; the transformer initialises them."""
        super().__init__()
        self.W_in = nn.Parameter(torch.empty(config.d_model, config.d_mlp))
        self.b_in = nn.Parameter(torch.zeros(config.d_mlp))
        self.W_out = nn.Parameter(torch.empty(config.d_mlp, config.d_model))
        self.b_out = nn.Parameter(torch.zeros(config.d_model))
        self.hook_pre, self.hook_post = HookPoint(), HookPoint()
        self.activation = ACTIVATIONS[config.act_fn]

    def forward(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Transform on the path that is needed."""
        return self.hooked(x) if is_listened_to(self) else self.fused(x)

    def hooked(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Transform, showing the neurons before and after the non-linearity."""
        pre = self.hook_pre(x @ self.W_in + self.b_in)
        return self.hook_post(self.activation(pre)) @ self.W_out + self.b_out

    def fused(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Transform with the bias added inside the matrix product."""
        hidden = self.activation(functional.linear(x, self.W_in.T, self.b_in))
        return functional.linear(hidden, self.W_out.T, self.b_out)


class GatedMLP(nn.Module):
    """One hidden layer whose neurons are gated (Shazeer 2020, arXiv:2002.05202), with a bias after the product.

    h = f(x W_gate + b_gate) · (x W_in + b_linear) + b_in, and h W_out + b_out. TransformerLens has no b_gate and no
    b_linear; with them the shift of a norm can be folded in.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Reserve the weights; the transformer initialises them."""
        super().__init__()
        self.W_gate = nn.Parameter(torch.empty(config.d_model, config.d_mlp))
        self.b_gate = nn.Parameter(torch.zeros(config.d_mlp))
        self.W_in = nn.Parameter(torch.empty(config.d_model, config.d_mlp))
        self.b_linear = nn.Parameter(torch.zeros(config.d_mlp))
        self.b_in = nn.Parameter(torch.zeros(config.d_mlp))
        self.W_out = nn.Parameter(torch.empty(config.d_mlp, config.d_model))
        self.b_out = nn.Parameter(torch.zeros(config.d_model))
        self.hook_pre, self.hook_pre_linear, self.hook_post = HookPoint(), HookPoint(), HookPoint()
        self.activation = ACTIVATIONS[config.act_fn]

    def forward(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Transform on the path that is needed."""
        return self.hooked(x) if is_listened_to(self) else self.fused(x)

    def hooked(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Transform, showing the gate before its non-linearity, what it gates, and the neurons."""
        pre = self.hook_pre(x @ self.W_gate + self.b_gate)
        linear = self.hook_pre_linear(x @ self.W_in + self.b_linear)
        return self.hook_post(self.activation(pre) * linear + self.b_in) @ self.W_out + self.b_out

    def fused(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Transform with the biases added inside the matrix products."""
        gate = self.activation(functional.linear(x, self.W_gate.T, self.b_gate))
        hidden = gate * functional.linear(x, self.W_in.T, self.b_linear) + self.b_in
        return functional.linear(hidden, self.W_out.T, self.b_out)


class Block(nn.Module):
    """Attention and MLP, each reading a normalised residual stream and adding to it."""

    def __init__(self, config: ModelConfig) -> None:
        """Build the parts."""
        super().__init__()
        self.ln1, self.attn = norm_of(config.normalization_type, config.d_model), Attention(config)
        self.ln2 = norm_of(config.normalization_type, config.d_model)
        self.mlp = GatedMLP(config) if config.gated_mlp else MLP(config)
        self.hook_resid_pre, self.hook_resid_mid, self.hook_resid_post = HookPoint(), HookPoint(), HookPoint()
        self.hook_attn_out, self.hook_mlp_out = HookPoint(), HookPoint()

    def forward(
        self, x: Float[Tensor, "batch token d_model"], allowed: Bool[Tensor, "batch query key"], queries: slice
    ) -> Float[Tensor, "batch chosen d_model"]:
        """Transform the chosen tokens; the others serve as keys and values, and go on as far as somebody listens."""
        is_read_on = any(map(is_listened_to, (self.ln2, self.mlp, self.hook_mlp_out, self.hook_resid_post)))
        is_shown = is_read_on or is_heard(self.hook_attn_out) or is_heard(self.hook_resid_mid)
        x = self.hook_resid_pre(x)
        shown = slice(None) if is_shown else queries
        x = self.hook_resid_mid(x[:, shown] + self.hook_attn_out(self.attn(self.ln1(x), allowed, shown)))
        if is_shown and not is_read_on:
            x = x[:, queries]
        x = self.hook_resid_post(x + self.hook_mlp_out(self.mlp(self.ln2(x))))
        return x[:, queries] if is_read_on else x


def _attend(
    q: Float[Tensor, "batch head query d_head"],
    k: Float[Tensor, "batch head key d_head"],
    v: Float[Tensor, "batch head key d_head"],
    allowed: Bool[Tensor, "batch 1 query key"],
) -> Float[Tensor, "batch head query d_head"]:
    """Attend in one kernel; in bfloat16 on a CPU in two products, where the kernel's backward pass is ten times slower.

    The softmax between them is taken in float32.
    """
    if q.device.type != "cpu" or q.dtype == torch.float32:
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    scores = q / q.shape[-1] ** 0.5 @ k.mT  # batch head query key
    pattern = scores.float().masked_fill(~allowed, -torch.inf).softmax(-1)
    return pattern.to(v.dtype) @ v


def _project(
    x: Float[Tensor, "batch token d_model"],
    weight: Float[Tensor, "head d_model d_head"],
    bias: Float[Tensor, "head d_head"],
) -> Float[Tensor, "batch head token d_head"]:
    flat = functional.linear(x, rearrange(weight, "head d_model d -> (head d) d_model"), bias.flatten())
    return rearrange(flat, "batch token (head d) -> batch head token d", head=len(weight))
