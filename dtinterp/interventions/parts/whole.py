"""A whole row, every number of which is a coordinate."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.sites import check_site
from dtinterp.foundation.specifications import Data
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.parts.part import Part
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class Whole(Part):
    """All that stands at a token."""

    def read(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row coordinate"]:
        """Return the rows."""
        return rows

    def moved(
        self, rows: Float32[Tensor, "row column"], by: Float32[Tensor, "row coordinate"]
    ) -> Float32[Tensor, "row column"]:
        """Return x + b."""
        return rows + by

    def require_site(self, model: DecisionTransformer, site: str) -> None:
        """Raise `UserError` where the model has no such site."""
        check_site(model, site)


class Token(Data):
    """All numbers of a row: the whole token, or all of the head or neuron that `at` names."""

    token: Literal["whole"]

    def part(self, names: Bindings) -> Part:  # noqa: ARG002
        """Return the part."""
        return Whole()
