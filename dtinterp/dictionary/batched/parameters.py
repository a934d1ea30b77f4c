"""Weights of many autoencoders of one width, one after the other, and how they start."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Float32
from torch import Tensor


@dataclass(frozen=True)
class Parameters:
    """What gradient descent changes, in place: the weights of autoencoders of one width, one after the other.

    W_enc is laid out feature by feature in memory, as W_dec is, so that a feature's gradient is one run of numbers.
    """

    W_enc: Float32[Tensor, "member d_in feature"]
    b_enc: Float32[Tensor, "member feature"]
    W_dec: Float32[Tensor, "member feature d_out"]
    b_dec: Float32[Tensor, "member d_out"]
    log_threshold: Float32[Tensor, "member feature"] | None = None
    """logarithm of the thresholds; JumpReLU alone has them"""
    b_gate: Float32[Tensor, "member feature"] | None = None
    """bias of the gates; Gated alone has them, and then b_enc is that of the magnitudes"""
    r_mag: Float32[Tensor, "member feature"] | None = None
    """logarithm of what a magnitude's weights are times those of its gate; Gated alone has it"""
    W_skip: Float32[Tensor, "member d_in d_out"] | None = None
    """linear path beside the code; skip-transcoders alone have it"""
    is_centred: bool = False
    """whether rows are centred before they are read, as a transcoder's are, so that b_dec is only added"""

    @property
    def named(self) -> dict[str, Tensor]:
        """Those that are there, by name."""
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: tensor for name, tensor in tensors.items() if isinstance(tensor, Tensor)}

    @property
    def tensors(self) -> list[Tensor]:
        """All of them, as an optimiser takes them."""
        return list(self.named.values())

    @property
    def weights(self) -> dict[str, Tensor]:
        """Those that a dictionary has, by name."""
        return {name: self.named[name] for name in ("W_enc", "b_enc", "W_dec", "b_dec", "W_skip") if name in self.named}

    @property
    def b_in(self) -> Float[Tensor, "member d_in"]:
        """What is taken away from rows before they are read."""
        return torch.zeros_like(self.W_enc[:, :, 0]) if self.is_centred else self.b_dec

    @property
    def bias(self) -> Float[Tensor, "member feature"]:
        """`b_enc - b_dec W_enc`: what is left to add to `x W_enc`."""
        return self.b_enc + self.shift

    @property
    def shift(self) -> Float[Tensor, "member feature"]:
        """`-b_dec W_enc`."""
        return -torch.einsum("md,mdf->mf", self.b_dec, self.W_enc)

    def activation(self, rows: Float32[Tensor, "*member row d_in"]) -> Float[Tensor, "member row feature"]:
        """Return `(x - b_dec) W_enc + b_enc`."""
        return torch.baddbmm(self.bias[:, None], rows.expand(len(self.W_enc), -1, -1), self.W_enc)

    def decoded(self, code: Float[Tensor, "member row feature"]) -> Float[Tensor, "member row d_out"]:
        """Return `z W_dec + b_dec`."""
        return torch.baddbmm(self.b_dec[:, None], code, self.W_dec)

    @torch.no_grad()
    def with_unit_decoder(self) -> "Parameters":
        """Return the same ReLU autoencoders with decoder rows of norm one: what a row loses, its activation gains."""
        norm = self.W_dec.norm(dim=2).clamp_min(1e-12)  # member feature
        scaled = {
            "W_enc": self.W_enc * norm[:, None],
            "b_enc": self.b_enc * norm,
            "W_dec": self.W_dec / norm[:, :, None],
        }
        return replace(self, **scaled, b_dec=self.b_dec.detach())


def initialise(
    b_dec: Float32[Tensor, "member d_out"],
    width: int,
    *,
    decoder_norm: float,
    generators: Sequence[torch.Generator],
    d_in: int | None = None,
) -> Parameters:
    """Return random decoder rows of norm `decoder_norm` with their transpose as encoder.

    Where rows of another length `d_in` are read, the directions are the encoder's, and the decoder is zero. One
    generator draws each member. Gao et al. 2024, appendix A.1; Templeton et al. 2024 use a norm of 0.1 for L1.
    """
    d_out, device = b_dec.shape[1], b_dec.device
    d_read = d_out if d_in is None else d_in
    drawn = torch.stack([torch.randn(width, d_read, generator=each) for each in generators]).to(device)
    directions = decoder_norm * drawn / drawn.norm(dim=2, keepdim=True)  # member feature d_in
    return Parameters(
        W_enc=directions.clone().mT,
        b_enc=directions.new_zeros(len(generators), width),
        W_dec=directions if d_read == d_out else directions.new_zeros(len(generators), width, d_out),
        b_dec=b_dec.clone(),
    )
