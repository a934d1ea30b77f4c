"""The norm-matched control: rows move as far as an edit would move them, in another direction."""

from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor

from dtinterp.interventions.edits.edit import Coefficient, Edit, component, moved, require_unit


@dataclass(frozen=True)
class PlaceboDirection(Edit):
    """x ← x + (c − x·f) r: each row moves exactly as far as `SetDirection(f, c)` would move it, but along r.

    Only the direction differs from the edit that it is held against.
    """

    direction: Float32[Tensor, " d_model"]
    """f, of length 1"""
    placebo: Float32[Tensor, " d_model"]
    """r, of length 1"""
    coefficient: Coefficient
    """c, in activation units"""

    def __post_init__(self) -> None:
        """Refuse directions that are not of length 1."""
        require_unit(self.direction)
        require_unit(self.placebo)

    def changed(self, rows: Float32[Tensor, "batch d_model"]) -> Float32[Tensor, "batch d_model"]:
        """Return x + (c − x·f) r."""
        return moved(rows, self.placebo, self.coefficient - component(rows, self.direction))
