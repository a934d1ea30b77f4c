"""Tables of activation rows from anywhere: read, checked, normalised, and paired with what a layer makes of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.dictionary.rows.batches import Batch
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.artefacts.manifest import MANIFEST
from dtinterp.foundation.artefacts.reading import read_array, read_tensors
from dtinterp.foundation.artefacts.soundness import understanding
from dtinterp.foundation.errors import UserError

Numbers: TypeAlias = Tensor | np.ndarray
RowSource: TypeAlias = Numbers | Path | Iterable[Numbers]
"""A table, a file that holds one (`.npy`, `.safetensors`), a folder that `dtinterp harvest` wrote, or several."""
HARVEST, VALUE, ROWS_FILE = "activations", "value", "tensors.value.safetensors"
"""What a harvest is called, its tensor of rows, and the file that holds them."""


@dataclass(frozen=True)
class Pairs:
    """Rows that a layer read and the rows that it wrote. Raises `UserError` where there is nothing to learn."""

    inputs: Float32[Tensor, "row d_in"]
    outputs: Float32[Tensor, "written d_out"]
    """as many as inputs, in the same order"""
    site: str = ""
    """what was read and written, such as blocks.0.mlp"""
    weights: Float[Tensor, " row"] | Int64[Tensor, " row"] | None = None
    """how often each pair counts, >= 0, any sum; None: once"""

    def __post_init__(self) -> None:
        """Refuse tables of different number, NaN, and inputs that are all alike."""
        if len(self.inputs) != len(self.outputs):
            raise UserError(
                f"There are {len(self.inputs)} inputs and {len(self.outputs)} outputs, expected as many: give pairs."
            )
        for rows in (self.inputs, self.outputs):
            check_rows(rows, rows.shape[1])
        if (self.inputs == self.inputs[0]).all():
            raise UserError(
                f"All {len(self.inputs)} inputs are the same vector, expected at least 2 distinct ones: harvest more "
                "varied windows."
            )


def as_rows(source: RowSource) -> Float32[Tensor, "row d_model"]:
    """Return the rows of `source` as float32; leading axes, such as batch and position, become one.

    Float32 rows of a harvest are mapped, not read. Raises `UserError` on a file that is missing, damaged, of another
    format or without exactly one table, on a folder that is no harvest, on numbers that are no table, on pieces of
    different length, and where there is nothing.
    """
    match source:
        case str():
            raise UserError(f"The activations are the text {source!r}, expected rows or a Path: give Path({source!r}).")
        case Tensor() | np.ndarray():
            return _table(source)
        case Path():
            return _table(_read(source))
        case _:
            return _joined([_table(piece) for piece in source])


def rows_at(source: RowSource, site: str) -> tuple[Float32[Tensor, "row d_model"], str]:
    """Return `as_rows`, and the site that they are of: `site`, or where that is empty what a harvest records.

    Raises `UserError` where `as_rows` does, and on a harvest of another site, be it only its file of rows.
    """
    if isinstance(source, Path) and source.name == ROWS_FILE and (source.parent / MANIFEST).is_file():
        source = source.parent
    if not (isinstance(source, Path) and source.is_dir()):
        return as_rows(source), site
    rows, own = _harvested(source)
    if own and site and own != site:
        raise UserError(f"{source} holds rows of {own!r}, expected rows of {site!r}: give rows and site that agree.")
    return _table(rows), site or own


def normalise(rows: Float32[Tensor, "row d_model"], weights: Tensor | None) -> tuple[Batch, Float32[Tensor, ""]]:
    """Return the rows divided by one scale, which gives them a mean norm of sqrt(d_model), and that scale.

    `weights` (>= 0, any sum) says how often each row counts. Raises `UserError` on rows with NaN and on impossible
    weights.
    """
    weight = _weight(rows, weights)
    scale = (weight @ rows.norm(dim=1)) / sqrt(rows.shape[1])
    return Batch(rows / scale, weight), scale


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


def _table(numbers: Numbers) -> Float32[Tensor, "row d_model"]:
    shape = tuple(numbers.shape)
    if len(shape) > 3:
        raise UserError(
            f"The activations have shape {shape}, expected (row, d_model) or (batch, position, d_model): "
            "lay heads side by side first, as in activations.flatten(2)."
        )
    if len(shape) < 2 or shape[-1] == 0 or not _is_real(numbers):
        raise UserError(
            f"The activations have shape {shape} and type {numbers.dtype}, expected numbers with at least "
            "two axes, the last of them d_model: give one row for each position."
        )
    if isinstance(numbers, np.ndarray):
        numbers = np.asarray(numbers, dtype=numbers.dtype.newbyteorder("="))  # torch reads the machine's own order
    return torch.as_tensor(numbers).detach().reshape(-1, shape[-1]).float()  # row d_model


def _is_real(numbers: Numbers) -> bool:
    match numbers:
        case np.ndarray():
            return numbers.dtype.kind in "fiu" and numbers.dtype.itemsize <= 8  # torch knows no longer ones
        case Tensor():
            return not numbers.is_complex() and numbers.dtype != torch.bool


def _read(path: Path) -> Numbers:
    if path.is_dir():
        return _harvested(path)[0]
    if not path.is_file():
        raise UserError(f"{path} is no file: give a .npy or .safetensors file of activations.")
    match path.suffix:
        case ".npy":
            return read_array(path)
        case ".safetensors":
            return _read_tensor(path)
        case _:
            raise UserError(f"{path} ends in {path.suffix!r}, expected .npy or .safetensors: write it as one of these.")


def _harvested(path: Path) -> tuple[Tensor, str]:
    """Return the rows of a harvest, and the site that they are of."""
    harvested = read_artefact(path, kind=HARVEST)
    with understanding(path, HARVEST):
        return harvested.tensors[VALUE], str(harvested.config.get("site", ""))


def _read_tensor(path: Path) -> Tensor:
    tensors = read_tensors(path)
    if len(tensors) != 1:
        names = ", ".join(sorted(tensors)) or "nothing"
        raise UserError(f"{path} holds {names}, expected one tensor: give a file with the activations alone.")
    return next(iter(tensors.values()))


def _joined(pieces: list[Tensor]) -> Float32[Tensor, "row d_model"]:
    lengths = sorted({piece.shape[1] for piece in pieces})
    if len(lengths) != 1:
        found = " and ".join(map(str, lengths)) or "no length at all"
        raise UserError(f"The pieces have rows of length {found}, expected one: give activations of one site.")
    return torch.cat(pieces)  # row d_model


def _weight(rows: Float32[Tensor, "row d_model"], weights: Tensor | None) -> Float32[Tensor, " row"]:
    check_rows(rows, rows.shape[1])
    if weights is None:
        return rows.new_full((len(rows),), 1 / len(rows))
    if len(weights) != len(rows) or not (weights.isfinite() & (weights >= 0)).all() or weights.sum() <= 0:
        raise UserError(
            f"There are {len(weights)} weights with sum {float(weights.sum()):g} for {len(rows)} rows, expected one "
            "finite weight from 0 for each row and a positive sum: give the count of each row."
        )
    return (weights.double() / weights.double().sum()).float().to(rows.device)
