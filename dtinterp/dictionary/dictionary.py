"""Rows become codes and codes become rows."""

from dataclasses import dataclass, replace
from typing import assert_never

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn.functional import embedding_bag

from dtinterp.dictionary.kinds import L1, Kind, Pca, TopK
from dtinterp.foundation.errors import UserError

ROWS_AT_ONCE = 16_384
"""Rows are encoded in pieces, so that the dense activations of a wide dictionary never stand in memory together."""


@dataclass(frozen=True)
class Dictionary:
    """Directions of one site's activation space, and how to read them off a row.

    Weights are in normalised units: a row is divided by `scale` first, which gives the rows of the fit a mean norm of
    sqrt(d_model); reconstructions are multiplied by it. Raises `UserError` where parts disagree or are not finite.
    """

    W_enc: Float32[Tensor, "d_model feature"]
    b_enc: Float32[Tensor, " feature"]
    W_dec: Float32[Tensor, "feature d_model"]
    b_dec: Float32[Tensor, " d_model"]
    kind: Kind
    scale: Float32[Tensor, ""]
    """what rows are divided by, > 0"""
    site: str
    """where in the network the rows came from"""
    name: str

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        expected = {"W_enc": (self.d_model, self.width), "b_enc": (self.width,), "b_dec": (self.d_model,), "scale": ()}
        for part, shape in expected.items():
            found = tuple(getattr(self, part).shape)
            if found != shape:
                raise UserError(f"{part} of {self.name!r} has shape {found}, W_dec wants {shape}: fit it again.")
        if not all(getattr(self, part).isfinite().all() for part in ("W_dec", *expected)) or self.scale <= 0:
            raise UserError(
                f"{self.name!r} has weights that are not finite, or its scale {float(self.scale)} is not positive: "
                "fit it again."
            )
        check_width(self.kind, self.width)

    @property
    def width(self) -> int:
        """How many features it has."""
        return self.W_dec.shape[0]

    @property
    def d_model(self) -> int:
        """How long its rows are."""
        return self.W_dec.shape[1]

    def to(self, device: torch.device | str) -> "Dictionary":
        """Return the same dictionary on `device`."""
        moved = {part: getattr(self, part).to(device) for part in ("W_enc", "b_enc", "W_dec", "b_dec", "scale")}
        return replace(self, **moved)


@dataclass(frozen=True)
class Codes:
    """The active features of each row; where the value is 0 the entry is padding and its index means nothing."""

    index: Int64[Tensor, "row k"]
    """which features; no active feature stands twice in a row"""
    value: Float[Tensor, "row k"]
    """how active, in normalised units; negative only for PCA"""

    def __post_init__(self) -> None:
        """Check that there is one value per index."""
        if self.index.shape != self.value.shape:
            raise ValueError(f"codes have {tuple(self.index.shape)} indices and {tuple(self.value.shape)} values")

    @property
    def n_active(self) -> Int64[Tensor, " row"]:
        """How many features each row uses: its L0."""
        return (self.value != 0).sum(dim=1)


def check_width(kind: Kind, width: int) -> None:
    """Raise `UserError` where a dictionary of `kind` cannot have `width` features."""
    if width < 1:
        raise UserError(f"The dictionary's width is {width}, expected at least 1: give a larger width.")
    match kind:
        case TopK(k=k) if k > width:
            raise UserError(f"TopK has k={k}, expected at most the width {width}: give a smaller k or a larger width.")
        case Pca(n_components=n_components) if n_components != width:
            raise UserError(f"A PCA of {n_components} components has width {width}: fit it again.")
        case TopK() | L1() | Pca():
            return
        case _:
            assert_never(kind)


def check_rows(rows: Float[Tensor, "row d_model"], d_model: int) -> None:
    """Raise `UserError` where there are no rows, they are not `d_model` long, or a number in them is not finite."""
    if rows.shape[0] == 0:
        raise UserError("There are 0 rows, expected at least 1: harvest activations first.")
    if rows.shape[1] != d_model:
        raise UserError(
            f"The rows have length {rows.shape[1]}, expected {d_model}: use rows of the site that the dictionary was "
            "fitted on."
        )
    if not rows.isfinite().all():
        bad = int((~rows.isfinite()).any(dim=1).sum())
        raise UserError(f"{bad} of {len(rows)} rows hold NaN or infinity, expected finite numbers: check their model.")


def encode(dictionary: Dictionary, rows: Float32[Tensor, "row d_model"]) -> Codes:
    """Return the active features of each row.

    TopK: `relu` of the k largest of `a = (x / scale - b_dec) W_enc + b_enc`. L1: `relu(a)`. PCA: `a` itself, so that
    every component is active and L0 is the number of components. Raises `UserError` on rows of another length or
    with NaN.
    """
    check_rows(rows, dictionary.d_model)
    pieces = [_encode_piece(dictionary, piece) for piece in rows.split(ROWS_AT_ONCE)]
    k = max(piece.index.shape[1] for piece in pieces)
    return Codes(
        index=torch.cat([_padded(piece.index, k) for piece in pieces]),  # row k
        value=torch.cat([_padded(piece.value, k) for piece in pieces]),  # row k
    )


def encode_dense(dictionary: Dictionary, rows: Float32[Tensor, "row d_model"]) -> Float[Tensor, "row feature"]:
    """Return the activation of every feature, most of them 0; costs 4 bytes x rows x features."""
    codes = encode(dictionary, rows)
    return codes.value.new_zeros(len(rows), dictionary.width).scatter_add(1, codes.index, codes.value)


def decode(dictionary: Dictionary, codes: Codes) -> Float[Tensor, "row d_model"]:
    """Return `scale * (sum over active features of value * W_dec[index] + b_dec)`, in the units of the rows."""
    total = embedding_bag(codes.index, dictionary.W_dec, per_sample_weights=codes.value, mode="sum")  # row d_model
    return dictionary.scale * (total + dictionary.b_dec)


def reconstruct(dictionary: Dictionary, rows: Float32[Tensor, "row d_model"]) -> Float[Tensor, "row d_model"]:
    """Return what is left of the rows after `encode` and `decode`."""
    return decode(dictionary, encode(dictionary, rows))


def _encode_piece(dictionary: Dictionary, rows: Float32[Tensor, "row d_model"]) -> Codes:
    activation = (rows / dictionary.scale - dictionary.b_dec) @ dictionary.W_enc + dictionary.b_enc  # row feature
    match dictionary.kind:
        case TopK(k=k):
            return _largest(activation.relu(), k)
        case L1():
            positive = activation.relu()
            return _largest(positive, max(1, int((positive > 0).sum(dim=1).max())))
        case Pca():
            index = torch.arange(dictionary.width, device=rows.device).expand(len(rows), -1)  # row k
            return Codes(index, activation)
        case _:
            assert_never(dictionary.kind)


def _largest(activation: Float[Tensor, "row feature"], k: int) -> Codes:
    value, index = activation.topk(k, dim=1)
    return Codes(index, value)


def _padded(entries: Tensor, k: int) -> Tensor:
    return torch.nn.functional.pad(entries, (0, k - entries.shape[1]))  # row k
