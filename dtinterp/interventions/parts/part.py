"""What every part of a row offers that an edit changes: coordinates that are read, and moved."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.transformer import DecisionTransformer

TOLERANCE = 1e-4
"""How far the length of a unit direction may be from 1."""


@dataclass(frozen=True)
class Part(ABC):
    """Some coordinates of a row: what edits read of it, and how it changes when they move.

    Moving by 0 changes no bit of a row; only `RewrittenCode` is the exception, which says so.
    """

    @abstractmethod
    def read(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row coordinate"]:
        """Return the coordinates of each row."""

    @abstractmethod
    def moved(
        self, rows: Float32[Tensor, "row column"], by: Float32[Tensor, "row coordinate"]
    ) -> Float32[Tensor, "row column"]:
        """Return the rows with their coordinates moved by so much."""

    @abstractmethod
    def require_site(self, model: DecisionTransformer, site: str) -> None:
        """Raise `UserError` where the part means nothing at a site."""

    def in_windows(self, windows: Windows) -> "Part":  # noqa: ARG002 -- most parts are the same anywhere
        """Return the part for a run on just these windows."""
        return self

    def of_rows(self, window: Int64[Tensor, " row"]) -> "Part":  # noqa: ARG002
        """Return the part of the rows that stand in these windows."""
        return self

    @property
    def directions(self) -> Float32[Tensor, "coordinate column"] | None:
        """What one unit of each coordinate adds to a row; None where that depends on the row or on all of it."""
        return None


def require_length(rows: Float32[Tensor, "row column"], directions: Float32[Tensor, "coordinate d_model"]) -> None:
    """Raise `UserError` where directions have another length than rows."""
    if rows.shape[1] != directions.shape[1]:
        raise UserError(
            f"the direction has length {directions.shape[1]}, the rows at this site have {rows.shape[1]}: "
            "use a direction or dictionary of the same model."
        )


def require_orthonormal(directions: Float32[Tensor, "coordinate d_model"]) -> None:
    """Raise `UserError` where directions are not of length 1, or not orthogonal to each other."""
    products = directions @ directions.T
    lengths = products.diagonal().sqrt()
    for length in lengths.tolist():
        if not abs(length - 1) <= TOLERANCE:
            raise UserError(f"the direction has length {length:.6g}, expected 1: divide it by its norm.")
    if not float((products - products.diagonal().diag()).abs().max()) <= TOLERANCE:
        raise UserError("the directions of a subspace are not orthogonal: give an orthonormal basis of it.")
