"""What every edit of rows offers, and the checks that edits share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TypeAlias

from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.activations.sites import require_meaning
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.transformer import DecisionTransformer

Coefficient: TypeAlias = float | Float32[Tensor, " batch"]
"""One number for all rows, or one a row."""

TOLERANCE = 1e-4
"""How far the length of a unit direction may be from 1."""


@dataclass(frozen=True)
class Edit(ABC):
    """A change of each row, from that row alone; the field `coefficient`, where there is one, may hold one a row."""

    def apply(self, rows: Float32[Tensor, "batch d_model"]) -> Float32[Tensor, "batch d_model"]:
        """Return the rows, each changed. Raises `UserError` where lengths or counts do not fit the edit's."""
        own = self.coefficients
        if own is not None and len(own) != len(rows):
            raise UserError(f"there are {len(own)} coefficients for {len(rows)} windows: give one number, or one each.")
        return self.changed(rows)

    @abstractmethod
    def changed(self, rows: Float32[Tensor, "batch d_model"]) -> Float32[Tensor, "batch d_model"]:
        """Return the rows, each changed."""

    def require_site(self, model: DecisionTransformer, site: str, *, found_at: str) -> None:
        """Raise `UserError` where the edit means nothing at `site`; a direction was found in rows of `found_at`."""
        require_meaning(model, found_at, site)

    @property
    def coefficients(self) -> Float32[Tensor, " batch"] | None:
        """The coefficients where each row has its own."""
        coefficient = getattr(self, "coefficient", None)
        return coefficient if isinstance(coefficient, Tensor) else None

    def of_rows(self, chosen: Int64[Tensor, " chosen"]) -> "Edit":
        """Return the edit of the chosen rows alone."""
        return self if self.coefficients is None else replace(self, coefficient=self.coefficients[chosen])


def moved(
    rows: Float32[Tensor, "batch d_model"], along: Float32[Tensor, " direction"], amount: Coefficient
) -> Float32[Tensor, "batch d_model"]:
    """Return the rows moved along a vector. Raises `UserError` where it has another length than they."""
    require_length(rows, along)
    return rows + (amount[:, None] if isinstance(amount, Tensor) else amount) * along  # batch d_model


def component(
    rows: Float32[Tensor, "batch d_model"], direction: Float32[Tensor, " direction"]
) -> Float32[Tensor, " batch"]:
    """Return what rows hold along a direction. Raises `UserError` where it has another length than they."""
    require_length(rows, direction)
    return rows @ direction


def require_length(rows: Float32[Tensor, "batch d_model"], direction: Float32[Tensor, " direction"]) -> None:
    """Raise `UserError` where a direction has another length than rows."""
    if rows.shape[1] != len(direction):
        raise UserError(
            f"the direction has length {len(direction)}, the rows at this site have {rows.shape[1]}: "
            "use a direction or dictionary of the same model."
        )


def require_unit(direction: Float32[Tensor, " d_model"]) -> None:
    """Raise `UserError` where a direction is not of length 1."""
    length = float(direction.norm())
    if not abs(length - 1) <= TOLERANCE:
        raise UserError(f"the direction has length {length:.6g}, expected 1: divide it by its norm.")
