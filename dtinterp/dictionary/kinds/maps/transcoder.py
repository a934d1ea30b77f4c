"""Transcoders: a sparse layer that stands in for an MLP, with or without a linear path beside it.

In all formulas x is an input row, divided by its scale and less the mean input, y' the output row in its own normalised
units, and `z = relu(topk(x W_enc + b_enc))` the code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.batched.losses import Loss, LossInputs, revival, strongest_loss
from dtinterp.dictionary.batched.parameters import Parameters
from dtinterp.dictionary.batched.sparse import strongest
from dtinterp.dictionary.codes import Codes, largest
from dtinterp.dictionary.kinds.kind import activation
from dtinterp.dictionary.kinds.learned import LearnedWithK


@dataclass(frozen=True)
class Transcoder(LearnedWithK):
    """A sparse layer that stands in for an MLP: `y' = z W_dec + b_dec`.

    Dunefsky, Chlenski & Nanda 2024, arXiv:2406.11944, §3, with TopK in place of the L1 penalty. Decoder rows keep their
    lengths: if activations took these over, others would be the strongest.
    """

    has_unit_decoder: ClassVar[bool] = False
    short: ClassVar[str] = "transcoder"
    """its name in titles"""

    k: int = 8
    """how many features a row may use, 1 to the width"""

    def title(self, width: int) -> str:
        """Name width and k."""
        return f"{self.short}-{width}-k{self.k}"

    def encode(self, centred: Float32[Tensor, "row d_in"], weights: Mapping[str, Tensor]) -> Codes:
        """Return the k largest, where they are positive."""
        return largest(activation(centred, weights).relu(), self.k)

    def start(self, parameters: Parameters, settings: Mapping[str, Sequence[float]]) -> Parameters:
        """Return the weights with a decoder of zeros: at first features write nothing."""
        del settings
        return replace(parameters, W_dec=torch.zeros_like(parameters.W_dec), is_centred=True)

    def loss(self, given: LossInputs) -> Loss:
        """Return `|y - y'|^2 / |y - mean|^2` plus the auxiliary loss of silent features, as TopK has it."""
        parameters, read, written = given.parameters, given.batch.read, given.batch.written
        k = given.column("k").long()
        kept = strongest(read.rows, parameters.W_enc, parameters.b_enc, parameters.W_dec, k)
        remainder = written.rows - parameters.b_dec[:, None] - kept.made  # member row d_out
        if parameters.W_skip is not None:
            remainder = remainder - read.rows @ parameters.W_skip
        error = written.mean(remainder.square().sum(dim=2))
        total = error / written.spread + revival(replace(given, batch=read), remainder.detach())
        return strongest_loss(total, error, kept, given)


@dataclass(frozen=True)
class SkipTranscoder(Transcoder):
    """A transcoder with a linear path beside it: `y' = z W_dec + x W_skip + b_dec`.

    Paulo, Shabalin & Belrose 2025, arXiv:2501.18823, §3.
    """

    has_skip: ClassVar[bool] = True
    short: ClassVar[str] = "skip-transcoder"

    k: int = 8
    """how many features a row may use, 1 to the width"""
