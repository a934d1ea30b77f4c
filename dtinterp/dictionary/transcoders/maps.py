"""Rows of one site become rows of another: a linear map, or a transcoder with features between.

In all formulas x is an input row, divided by its scale and less the mean input, y' the output row in its own normalised
units, and `z = relu(topk(x W_enc + b_enc))` the code.
"""

from dataclasses import dataclass, fields
from typing import TypeAlias

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import embedding_bag

from dtinterp.dictionary.codes import Codes, largest
from dtinterp.dictionary.dictionary import ROWS_AT_ONCE, check_rows
from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class Linear:
    """The least-squares map `y' = x W_skip + b_dec`: what of the outputs is linear in the inputs; it has no feature."""


@dataclass(frozen=True)
class Transcoder:
    """A sparse layer that stands in for an MLP: `y' = z W_dec + b_dec`.

    Dunefsky, Chlenski & Nanda 2024, arXiv:2406.11944, §3, with TopK in place of the L1 penalty.
    """

    k: int = 8
    """how many features a row may use, 1 to the width"""

    def __post_init__(self) -> None:
        """Refuse a k below one."""
        _require_k(self.k)


@dataclass(frozen=True)
class SkipTranscoder:
    """A transcoder with a linear path beside it: `y' = z W_dec + x W_skip + b_dec`.

    Paulo, Shabalin & Belrose 2025, arXiv:2501.18823, §3.
    """

    k: int = 8
    """how many features a row may use, 1 to the width"""

    def __post_init__(self) -> None:
        """Refuse a k below one."""
        _require_k(self.k)


MapKind: TypeAlias = Linear | Transcoder | SkipTranscoder
MAP_KINDS: tuple[type[MapKind], ...] = (Linear, Transcoder, SkipTranscoder)


@dataclass(frozen=True)
class RowMap:
    """What stands in for a layer. Raises `UserError` where parts disagree or are not finite."""

    W_enc: Float32[Tensor, "d_in feature"]
    b_enc: Float32[Tensor, " feature"]
    W_dec: Float32[Tensor, "feature d_out"]
    b_dec: Float32[Tensor, " d_out"]
    b_in: Float32[Tensor, " d_in"]
    """the mean input, in normalised units"""
    scale_in: Float32[Tensor, ""]
    """what input rows are divided by, > 0"""
    scale_out: Float32[Tensor, ""]
    """what output rows were divided by, > 0"""
    kind: MapKind
    site: str
    """what is read and written, such as blocks.0.mlp"""
    name: str
    W_skip: Float32[Tensor, "d_in d_out"] | None = None
    """the linear path; None where there is none"""

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        has_skip = not isinstance(self.kind, Transcoder)
        shapes = {
            "W_enc": (self.d_in, self.width),
            "b_enc": (self.width,),
            "W_dec": (self.width, self.d_out),
            "W_skip": (self.d_in, self.d_out) if has_skip else None,
        }
        for part, shape in shapes.items():
            found = None if getattr(self, part) is None else tuple(getattr(self, part).shape)
            if found != shape:
                raise UserError(f"{part} of {self.name!r} has shape {found}, expected {shape}: fit it again.")
        if not all(tensor.isfinite().all() for tensor in self.tensors.values()):
            raise UserError(f"{self.name!r} has weights that are not finite: fit it again.")
        if not isinstance(self.kind, Linear) and self.kind.k > self.width:
            raise UserError(f"{self.name!r} has k={self.kind.k}, expected at most its width {self.width}.")

    @property
    def width(self) -> int:
        """How many features it has; a linear map has none."""
        return self.W_enc.shape[1]

    @property
    def d_in(self) -> int:
        """How long the rows are that it reads."""
        return len(self.b_in)

    @property
    def d_out(self) -> int:
        """How long the rows are that it writes."""
        return len(self.b_dec)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Its weights by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def encode_map(row_map: RowMap, inputs: Float32[Tensor, "row d_in"]) -> Codes:
    """Return the active features of each input row; none where the map is linear.

    Raises `UserError` on rows of another length or with NaN.
    """
    check_rows(inputs, row_map.d_in)
    match row_map.kind:
        case Linear():
            nothing = inputs.new_zeros(len(inputs), 0)
            return Codes(nothing.long(), nothing)
        case Transcoder(k=k) | SkipTranscoder(k=k):
            pieces = [largest(_activation(row_map, piece).relu(), k) for piece in inputs.split(ROWS_AT_ONCE)]
            return Codes(torch.cat([each.index for each in pieces]), torch.cat([each.value for each in pieces]))


def apply_map(
    row_map: RowMap, inputs: Float32[Tensor, "row d_in"], codes: Codes | None = None
) -> Float[Tensor, "row d_out"]:
    """Return the output rows, in their own units; `codes` are those of `encode_map`, where they are known already."""
    found = encode_map(row_map, inputs) if codes is None else codes
    made = row_map.b_dec.expand(len(inputs), -1)  # row d_out
    if row_map.width:
        made = made + embedding_bag(found.index, row_map.W_dec, per_sample_weights=found.value, mode="sum")
    if row_map.W_skip is not None:
        made = made + _centred(row_map, inputs) @ row_map.W_skip
    return row_map.scale_out * made


def _activation(row_map: RowMap, inputs: Float32[Tensor, "row d_in"]) -> Float[Tensor, "row feature"]:
    return _centred(row_map, inputs) @ row_map.W_enc + row_map.b_enc


def _centred(row_map: RowMap, inputs: Float32[Tensor, "row d_in"]) -> Float[Tensor, "row d_in"]:
    return inputs / row_map.scale_in - row_map.b_in


def _require_k(k: int) -> None:
    if k < 1:
        raise UserError(f"The transcoder has k={k}, expected at least 1: give a larger k.")
