"""Rows become codes and codes become rows."""

from dataclasses import dataclass, replace
from typing import assert_never

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import embedding_bag

from dtinterp.dictionary.codes import Codes, active, every, largest, nonnegative, pursue
from dtinterp.dictionary.kinds import (
    L1,
    THRESHOLDED,
    BatchTopK,
    Gated,
    Ica,
    Identity,
    Items,
    JumpReLU,
    Kind,
    KMeans,
    Matryoshka,
    Pca,
    Random,
    SemiNmf,
    TopK,
)
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
    threshold: Float32[Tensor, " feature"] | None = None
    """above which a feature is active, >= 0; None where the kind has no threshold"""
    of_untrained: bool = False
    """whether the rows came from a model that never saw a window: a control"""

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        expected = {"W_enc": (self.d_model, self.width), "b_enc": (self.width,), "b_dec": (self.d_model,), "scale": ()}
        if isinstance(self.kind, THRESHOLDED):
            expected |= {"threshold": (self.width,)}
        elif self.threshold is not None:
            raise UserError(
                f"{self.name!r} is a {type(self.kind).__name__} with a threshold, which has none: fit it again."
            )
        for part, shape in expected.items():
            found = None if getattr(self, part) is None else tuple(getattr(self, part).shape)
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
        return replace(self, **{part: tensor.to(device) for part, tensor in self.tensors.items()})

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Its weights by name, without those that its kind has not."""
        parts = ("W_enc", "b_enc", "W_dec", "b_dec", "scale", "threshold")
        return {part: getattr(self, part) for part in parts if getattr(self, part) is not None}


def check_width(kind: Kind, width: int) -> None:
    """Raise `UserError` where a dictionary of `kind` cannot have `width` features."""
    if width < 1:
        raise UserError(f"The dictionary's width is {width}, expected at least 1: give a larger width.")
    match kind:
        case TopK(k=k) | BatchTopK(k=k) | Matryoshka(k=k) | Random(k=k) | Items(k=k) if k > width:
            raise UserError(
                f"{type(kind).__name__} has k={k}, expected at most the width {width}: give a smaller k or a larger "
                "width."
            )
        case Matryoshka(n_levels=n_levels) if width >> (n_levels - 1) < 1:
            raise UserError(f"Matryoshka halves the width {width} {n_levels - 1} times: give fewer levels.")
        case Pca(n_components=number) | Ica(n_components=number) | SemiNmf(n_components=number) if number != width:
            raise UserError(f"{_spoken(kind)} of {number} components has width {width}: fit it again.")
        case KMeans(n_clusters=number) if number != width:
            raise UserError(f"A k-means of {number} clusters has width {width}: fit it again.")
        case TopK() | BatchTopK() | Matryoshka() | L1() | JumpReLU() | Gated():
            return
        case Pca() | Ica() | SemiNmf() | KMeans() | Items() | Random() | Identity():
            return
        case _:
            assert_never(kind)


def _spoken(kind: Pca | Ica | SemiNmf) -> str:
    return {Pca: "A PCA", Ica: "An ICA", SemiNmf: "A semi-NMF"}[type(kind)]


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

    With `a = (x / scale - b_dec) W_enc + b_enc`, TopK: `relu` of the k largest of a. BatchTopK, Matryoshka, JumpReLU,
    Gated: a where it exceeds the feature's threshold. L1: `relu(a)`. PCA, ICA, identity: a itself, so that every
    component is active and L0 is their number. k-means: 1 for the largest of a, which is the nearest centre. Semi-NMF:
    non-negative least squares. Items, random: matching pursuit. Raises `UserError` on rows of another length or with
    NaN.
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
    centred = rows / dictionary.scale - dictionary.b_dec  # row d_model
    match dictionary.kind:
        case SemiNmf():
            return active(nonnegative(centred, dictionary.W_dec))
        case Items(k=k) | Random(k=k):
            return pursue(centred, dictionary.W_dec, k)
        case kind:
            activation = centred @ dictionary.W_enc + dictionary.b_enc  # row feature
            return _read_off(kind, activation, 0.0 if dictionary.threshold is None else dictionary.threshold)


def _read_off(
    kind: TopK | BatchTopK | Matryoshka | L1 | JumpReLU | Gated | Pca | Ica | KMeans | Identity,
    activation: Float[Tensor, "row feature"],
    threshold: Float32[Tensor, " feature"] | float,
) -> Codes:
    match kind:
        case TopK(k=k):
            return largest(activation.relu(), k)
        case L1() | BatchTopK() | Matryoshka() | JumpReLU() | Gated():
            return active(activation.where(activation > threshold, 0.0))
        case Pca() | Ica() | Identity():
            return every(activation)
        case KMeans():
            nearest = largest(activation, 1)
            return Codes(nearest.index, torch.ones_like(nearest.value))
        case _:
            assert_never(kind)


def _padded(entries: Tensor, k: int) -> Tensor:
    return torch.nn.functional.pad(entries, (0, k - entries.shape[1]))  # row k
