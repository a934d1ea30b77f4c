"""Norms, each with two paths that agree: `hooked` shows every step, `fused` is fast.

Calling a norm takes the path that is needed: the hooked one where somebody listens.

Weights and hooks carry TransformerLens's names, and mean what they mean there.
"""

from typing import assert_never

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from transformer_lens.hook_points import HookPoint

from dtinterp.model.config import Normalization
from dtinterp.model.network.hooks_active import is_listened_to

EPSILON = 1e-5


class RMSNormPre(nn.Module):
    """Divide by the root mean square (Zhang & Sennrich 2019, arXiv:1910.07467)."""

    def __init__(self) -> None:
        """Reserve the hooks; there is nothing to learn."""
        super().__init__()
        self.hook_scale = HookPoint()
        self.hook_normalized = HookPoint()

    def forward(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Normalise on the path that is needed."""
        return self.hooked(x) if is_listened_to(self) else self.fused(x)

    def centre(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Return what is divided by its scale: the rows as they are."""
        return x

    def weigh(self, normalized: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Return what the norm gives for normalised rows: the rows as they are."""
        return normalized

    def hooked(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Normalise, showing the scale and the rows before they are weighed."""
        centred = self.centre(x)
        scale = self.hook_scale((centred.square().mean(-1, keepdim=True) + EPSILON).sqrt())
        return self.weigh(self.hook_normalized(centred / scale))

    def fused(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Normalise in one kernel."""
        return functional.rms_norm(x, x.shape[-1:], eps=EPSILON)


class RMSNorm(RMSNormPre):
    """Divide by the root mean square and scale."""

    def __init__(self, d_model: int) -> None:
        """Start as the identity on normalised rows."""
        super().__init__()
        self.w = nn.Parameter(torch.ones(d_model))

    def weigh(self, normalized: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Scale the columns."""
        return normalized * self.w

    def fused(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Normalise in one kernel."""
        return functional.rms_norm(x, self.w.shape, self.w, EPSILON)


class LayerNormPre(RMSNormPre):
    """Centre and divide by the standard deviation (Ba et al. 2016, arXiv:1607.06450)."""

    def centre(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Return what is divided by its scale: each row less its mean."""
        return x - x.mean(-1, keepdim=True)

    def fused(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Normalise in one kernel."""
        return functional.layer_norm(x, x.shape[-1:], eps=EPSILON)


class LayerNorm(LayerNormPre):
    """Centre, divide by the standard deviation, scale and shift."""

    def __init__(self, d_model: int) -> None:
        """Start as the identity on normalised rows."""
        super().__init__()
        self.w = nn.Parameter(torch.ones(d_model))
        self.b = nn.Parameter(torch.zeros(d_model))

    def weigh(self, normalized: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Scale and shift the columns."""
        return normalized * self.w + self.b

    def fused(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Normalise in one kernel."""
        return functional.layer_norm(x, self.w.shape, self.w, self.b, EPSILON)


class NoNorm(nn.Module):
    """Leave the rows alone."""

    def forward(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Return the rows; there is nothing to show."""
        return x

    hooked = fused = weigh = forward


Norm = RMSNormPre | NoNorm
"""Any of the norms; those with weights extend those without."""


def norm_of(kind: Normalization, d_model: int) -> Norm:
    """Return a fresh norm of the kind."""
    match kind:
        case "LN":
            return LayerNorm(d_model)
        case "LNPre":
            return LayerNormPre()
        case "RMS":
            return RMSNorm(d_model)
        case "RMSPre":
            return RMSNormPre()
        case "none":
            return NoNorm()
        case _:
            assert_never(kind)
