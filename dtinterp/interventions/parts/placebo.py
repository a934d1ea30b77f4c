"""The norm-matched control: rows move as far as an edit would move them, in other directions."""

from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor

from dtinterp.interventions.parts.part import Part, require_length, require_orthonormal
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class Placebo(Part):
    """What a part reads, moved elsewhere: only the directions differ from the edit that this is held against.

    For `Along(f)` set to c, that is x + (c − x·f) r: each row moves exactly as far, but along r.
    """

    part: Part
    """of the same number of coordinates, whose directions do not depend on the row"""
    along: Float32[Tensor, "coordinate column"]
    """r, orthonormal"""

    def __post_init__(self) -> None:
        """Refuse directions that are not orthonormal."""
        require_orthonormal(self.along)

    def read(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row coordinate"]:
        """Return what the part reads."""
        return self.part.read(rows)

    def moved(
        self, rows: Float32[Tensor, "row column"], by: Float32[Tensor, "row coordinate"]
    ) -> Float32[Tensor, "row column"]:
        """Return x + Σ b |d| r, with d what one unit of the part adds to a row."""
        require_length(rows, self.along)
        assert self.part.directions is not None, "a placebo moves as far as directions that are known"
        return rows + by * self.part.directions.norm(dim=1) @ self.along

    def require_site(self, model: DecisionTransformer, site: str) -> None:
        """Raise `UserError` where the part means nothing."""
        self.part.require_site(model, site)
