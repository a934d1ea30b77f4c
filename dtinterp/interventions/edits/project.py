"""Project: nothing is left of each row but a part of it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32
from pydantic import Field
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.specification import Dosed, EditData
from dtinterp.interventions.parts import What
from dtinterp.interventions.parts.along import Along
from dtinterp.interventions.places import At


@dataclass(frozen=True)
class Projecting(Edit):
    """x ← Σ p d: the orthogonal projection on the span of orthonormal directions; twice is as good as once."""

    def changed(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row column"]:
        """Return what the part alone makes of a row of zeros."""
        return self.part.moved(torch.zeros_like(rows), self.part.read(rows))


class Project(EditData):
    """Leave nothing of a row but its projection on a direction or subspace."""

    what: What = Field(alias="project")
    at: At

    def bound(self, names: Bindings) -> Dosed:
        """Return what it comes to. Raises `UserError` where the part is no direction or subspace."""
        part = self.at.narrowed(self.what.part(names), names.model)
        if not isinstance(part, Along):
            raise UserError(
                "a row is projected on a direction or subspace, expected {direction: NAME} or {subspace: NAME}."
            )
        return Dosed(self.at, part, Projecting)
