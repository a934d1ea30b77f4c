"""Edits along one direction: set, add, ablate."""

from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor

from dtinterp.interventions.edits.edit import Coefficient, Edit, component, moved, require_unit


@dataclass(frozen=True)
class SetDirection(Edit):
    """x ← x − (x·f) f + c f: the row's component along f becomes c, and nothing orthogonal to f moves."""

    direction: Float32[Tensor, " d_model"]
    """f, of length 1"""
    coefficient: Coefficient
    """c, in activation units"""

    def __post_init__(self) -> None:
        """Refuse a direction that is not of length 1."""
        require_unit(self.direction)

    def changed(self, rows: Float32[Tensor, "batch d_model"]) -> Float32[Tensor, "batch d_model"]:
        """Return x + (c − x·f) f."""
        return moved(rows, self.direction, self.coefficient - component(rows, self.direction))


@dataclass(frozen=True)
class AblateDirection(SetDirection):
    """x ← x − (x·f) f: `SetDirection` to 0."""

    coefficient: Coefficient = 0.0


@dataclass(frozen=True)
class AddDirection(Edit):
    """x ← x + c f."""

    direction: Float32[Tensor, " d_model"]
    """f, of length 1"""
    coefficient: Coefficient
    """c, in activation units"""

    def __post_init__(self) -> None:
        """Refuse a direction that is not of length 1."""
        require_unit(self.direction)

    def changed(self, rows: Float32[Tensor, "batch d_model"]) -> Float32[Tensor, "batch d_model"]:
        """Return x + c f."""
        return moved(rows, self.direction, self.coefficient)
