"""Dictionaries and maps: sparse codes of rows, and the rows that codes are written as."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import embedding_bag

from dtinterp.dictionary.codes import Codes
from dtinterp.dictionary.kinds import Kind, MapKind
from dtinterp.dictionary.kinds.kind import DictionaryKind
from dtinterp.dictionary.rows.table import check_rows
from dtinterp.foundation.artefacts.codec import ArtefactKind
from dtinterp.foundation.errors import UserError

ROWS_AT_ONCE = 16_384
"""Rows are encoded in pieces, so that the dense activations of a wide dictionary never stand in memory together."""


@dataclass(frozen=True)
class SparseLayer(ABC):
    """Directions that rows are written in, and how to read them off a row.

    Weights are in normalised units: rows that are read and rows that are written each have a scale, which gives those
    of the fit a mean norm of sqrt(d_model). Raises `UserError` where parts disagree or are not finite.
    """

    W_enc: Float32[Tensor, "d_in feature"]
    b_enc: Float32[Tensor, " feature"]
    W_dec: Float32[Tensor, "feature d_out"]
    b_dec: Float32[Tensor, " d_out"]
    kind: DictionaryKind
    site: str
    """where in the network the rows came from"""
    name: str

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        for part, shape in self.shapes.items():
            found = None if getattr(self, part) is None else tuple(getattr(self, part).shape)
            if found != shape:
                raise UserError(f"{part} of {self.name!r} has shape {found}, expected {shape}: fit it again.")
        if not all(tensor.isfinite().all() for tensor in self.tensors.values()):
            raise UserError(f"{self.name!r} has weights that are not finite: fit it again.")
        for part in ("scale", "scale_in", "scale_out"):
            if part in self.tensors and self.tensors[part] <= 0:
                raise UserError(
                    f"{part} of {self.name!r} is {float(self.tensors[part])}, expected a positive number: fit it again."
                )
        self.kind.check_width(self.width)

    @property
    def width(self) -> int:
        """How many features it has."""
        return self.W_enc.shape[1]

    @property
    def d_in(self) -> int:
        """How long the rows are that it reads."""
        return self.W_enc.shape[0]

    @property
    def d_out(self) -> int:
        """How long the rows are that it writes."""
        return self.W_dec.shape[1]

    @property
    def shapes(self) -> dict[str, tuple[int, ...] | None]:
        """The shape that each part must have, None for one that must not be there."""
        return {
            "W_enc": (self.d_in, self.width),
            "b_enc": (self.width,),
            "W_dec": (self.width, self.d_out),
            "b_dec": (self.d_out,),
        }

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Its weights by name, without those that its kind has not."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Tensor)}

    @abstractmethod
    def centred(self, rows: Float32[Tensor, "row d_in"]) -> Float32[Tensor, "row d_in"]:
        """Return rows in normalised units, without what is taken away before they are read."""

    @property
    @abstractmethod
    def written_scale(self) -> Float32[Tensor, ""]:
        """What normalised rows are multiplied by when they are written."""


@dataclass(frozen=True)
class Dictionary(SparseLayer):
    """Directions of one site's activation space: what it writes are reconstructions of the rows that it reads."""

    kind: Kind
    scale: Float32[Tensor, ""]
    """what rows are divided by, > 0"""
    threshold: Float32[Tensor, " feature"] | None = None
    """above which a feature is active, >= 0; None where the kind has no threshold"""
    of_untrained: bool = False
    """whether the rows came from a model that never saw a window: a control"""

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        if self.threshold is not None and not self.kind.has_threshold:
            raise UserError(
                f"{self.name!r} is a {type(self.kind).__name__} with a threshold, which has none: fit it again."
            )
        super().__post_init__()

    def to(self, device: torch.device | str) -> "Dictionary":
        """Return the same dictionary on `device`."""
        return replace(self, **{part: tensor.to(device) for part, tensor in self.tensors.items()})

    @property
    def d_model(self) -> int:
        """How long its rows are."""
        return self.d_in

    @property
    def shapes(self) -> dict[str, tuple[int, ...] | None]:
        """Rows are read and written alike."""
        threshold = (self.width,) if self.kind.has_threshold else None
        return {**super().shapes, "W_dec": (self.width, self.d_in), "scale": (), "threshold": threshold}

    def centred(self, rows: Float32[Tensor, "row d_in"]) -> Float32[Tensor, "row d_in"]:
        """Return `x / scale - b_dec`."""
        return rows / self.scale - self.b_dec

    @property
    def written_scale(self) -> Float32[Tensor, ""]:
        """The scale."""
        return self.scale


@dataclass(frozen=True)
class RowMap(SparseLayer):
    """What stands in for a layer: rows of one site become rows of another."""

    kind: MapKind
    b_in: Float32[Tensor, " d_in"]
    """the mean input, in normalised units"""
    scale_in: Float32[Tensor, ""]
    """what input rows are divided by, > 0"""
    scale_out: Float32[Tensor, ""]
    """what output rows were divided by, > 0"""
    W_skip: Float32[Tensor, "d_in d_out"] | None = None
    """the linear path; None where there is none"""

    @property
    def shapes(self) -> dict[str, tuple[int, ...] | None]:
        """The linear path is there just where the kind has one."""
        skip = (self.d_in, self.d_out) if self.kind.has_skip else None
        return {**super().shapes, "b_in": (self.d_in,), "W_skip": skip}

    def centred(self, rows: Float32[Tensor, "row d_in"]) -> Float32[Tensor, "row d_in"]:
        """Return `x / scale_in - b_in`."""
        return rows / self.scale_in - self.b_in

    @property
    def written_scale(self) -> Float32[Tensor, ""]:
        """The scale of the outputs."""
        return self.scale_out


DICTIONARY = ArtefactKind("dictionary", Dictionary, places={"of_untrained": "config.of_untrained?"})
MAP = ArtefactKind("mlp-map", RowMap)


def encode(layer: SparseLayer, rows: Float32[Tensor, "row d_in"]) -> Codes:
    """Return the active features of each row, as its kind reads them off `(x / scale - b_dec) W_enc + b_enc`.

    Raises `UserError` on rows of another length or with NaN.
    """
    check_rows(rows, layer.d_in)
    pieces = [layer.kind.encode(layer.centred(piece), layer.tensors) for piece in rows.split(ROWS_AT_ONCE)]
    k = max(piece.index.shape[1] for piece in pieces)
    return Codes(
        index=torch.cat([_padded(piece.index, k) for piece in pieces]),  # row k
        value=torch.cat([_padded(piece.value, k) for piece in pieces]),  # row k
    )


def encode_dense(layer: SparseLayer, rows: Float32[Tensor, "row d_in"]) -> Float[Tensor, "row feature"]:
    """Return the activation of every feature, most of them 0; costs 4 bytes x rows x features."""
    codes = encode(layer, rows)
    return codes.value.new_zeros(len(rows), layer.width).scatter_add(1, codes.index, codes.value)


def decode(dictionary: Dictionary, codes: Codes) -> Float[Tensor, "row d_out"]:
    """Return `scale * (sum over active features of value * W_dec[index] + b_dec)`, in the units of the rows."""
    return dictionary.scale * _sum(dictionary, codes)


def reconstruct(
    layer: SparseLayer, rows: Float32[Tensor, "row d_in"], codes: Codes | None = None
) -> Float[Tensor, "row d_out"]:
    """Return what is written in place of rows: what is left of them after `encode`, or what a layer made of them.

    `codes` are those of the rows, where they are known already.
    """
    made = _sum(layer, encode(layer, rows) if codes is None else codes)
    if isinstance(layer, RowMap) and layer.W_skip is not None:
        made = made + layer.centred(rows) @ layer.W_skip
    return layer.written_scale * made


def _sum(layer: SparseLayer, codes: Codes) -> Float[Tensor, "row d_out"]:
    """Return the sum of the chosen decoder rows and b_dec."""
    if not layer.width:
        return layer.b_dec.expand(len(codes.index), -1)
    return embedding_bag(codes.index, layer.W_dec, per_sample_weights=codes.value, mode="sum") + layer.b_dec


def _padded(entries: Tensor, k: int) -> Tensor:
    return torch.nn.functional.pad(entries, (0, k - entries.shape[1]))  # row k
