"""Directions that a file holds, which anybody may have written."""

from pathlib import Path
from typing import Literal

from pydantic import StrictStr
from torch.nn.functional import normalize

from dtinterp.activations.sites import shape_at
from dtinterp.foundation.artefacts.reading import read_tensors
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.directions.finder import DirectionFinder, FoundDirections, Material

MOST = 4096
"""Directions that one file may hold."""


class FileDirection(DirectionFinder):
    """A tensor of a safetensors file: one vector, or several as rows; each is scaled to length 1."""

    kind: Literal["file"] = "file"
    path: Path
    """the file"""
    tensor: StrictStr = "direction"
    """name of the tensor"""
    site: StrictStr | None = None
    """where they were found; none: where they are used"""

    def find(self, material: Material) -> FoundDirections:
        """Read and check the directions. Raises `UserError` for whatever is wrong with the file."""
        site = self.site or material.site
        tensors = read_tensors(self.path)
        if self.tensor not in tensors:
            known = ", ".join(sorted(tensors)[:20]) or "nothing"
            raise UserError(f"{self.path} has no tensor {self.tensor!r}, it holds {known}: name one of these.")
        found = tensors[self.tensor]
        width = 1
        for number in shape_at(material.subject.model, site):
            width *= number
        if found.dim() not in (1, 2) or found.shape[-1] != width or not 0 < found.numel() <= MOST * width:
            raise UserError(
                f"{self.tensor} of {self.path} has shape {tuple(found.shape)}, expected {width} numbers, as rows have "
                f"at {site}, or up to {MOST} rows of them: give directions of this model."
            )
        vectors = found.reshape(-1, width).float()
        if not found.is_floating_point() or not vectors.isfinite().all() or not (vectors.norm(dim=1) > 1e-12).all():
            raise UserError(
                f"{self.tensor} of {self.path} has a row that is zero, not finite, or of whole numbers: correct it."
            )
        names = [self.path.stem] if len(vectors) == 1 else [f"{self.path.stem} {row}" for row in range(len(vectors))]
        return FoundDirections(normalize(vectors, dim=1), tuple(names), site)
