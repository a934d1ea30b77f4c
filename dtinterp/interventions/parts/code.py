"""A feature of a dictionary: the coordinate is its code, and there are three ways to move it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32
from pydantic import StrictInt, StrictStr
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode, encode_dense
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.specifications import Data
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.parts.part import Part, require_length
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class Code(Part):
    """A feature's code; a row moves along its decoder row, and what no feature explains of it stays as it is."""

    dictionary: Dictionary
    feature: int

    def __post_init__(self) -> None:
        """Refuse a feature that the dictionary does not have."""
        width = self.dictionary.width
        if not 0 <= self.feature < width:
            raise UserError(
                f"the feature is {self.feature}, expected 0 to {width - 1}: {self.dictionary.name!r} has no more."
            )

    def read(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row coordinate"]:
        """Return z."""
        return encode_dense(self.dictionary, rows)[:, self.feature, None]

    def moved(
        self, rows: Float32[Tensor, "row column"], by: Float32[Tensor, "row coordinate"]
    ) -> Float32[Tensor, "row column"]:
        """Return x + b s d, with d the decoder row and s the dictionary's scale."""
        require_length(rows, self.directions)
        return rows + by * self.directions

    def require_site(self, model: DecisionTransformer, site: str) -> None:  # noqa: ARG002
        """Raise `UserError` at another site than the dictionary's."""
        if self.dictionary.site != site:
            raise UserError(
                f"the dictionary {self.dictionary.name!r} was fitted at {self.dictionary.site}, the intervention is at "
                f"{site}: intervene at the dictionary's site."
            )

    @property
    def directions(self) -> Float32[Tensor, "coordinate column"]:
        """What one unit of the code adds to a row."""
        return self.dictionary.scale * self.dictionary.W_dec[self.feature, None]


@dataclass(frozen=True)
class ObliqueCode(Code):
    """A feature's code, moved so that the encoder reads no change in any other feature that the row has.

    A row moves along the vector of the span of the encoder columns of its active features, and this one's, that is
    orthogonal to those of all the others. Codes of other features can change only where one that was silent awakes, or,
    under top-k, this one takes the place of another.
    """

    def moved(
        self, rows: Float32[Tensor, "row column"], by: Float32[Tensor, "row coordinate"]
    ) -> Float32[Tensor, "row column"]:
        """Return x + b s e*, with e* the encoder column's dual among the row's active features."""
        require_length(rows, self.directions)
        codes = encode(self.dictionary, rows)
        is_other = (codes.value != 0) & (codes.index != self.feature)  # row k
        columns = self.dictionary.W_enc.T
        beside = columns[codes.index] * is_other[..., None]  # row k column; what is 0 constrains nothing
        own = columns[self.feature].expand(len(rows), 1, -1)
        dual = torch.linalg.pinv(torch.cat([own, beside], dim=1))[:, :, 0]  # row column
        return rows + by * self.dictionary.scale * dual


@dataclass(frozen=True)
class RewrittenCode(Code):
    """A feature's code, changed in what the dictionary makes of the row: encode, edit, decode.

    What the dictionary does not explain of a row is lost, also where nothing is edited.
    """

    def moved(
        self, rows: Float32[Tensor, "row column"], by: Float32[Tensor, "row coordinate"]
    ) -> Float32[Tensor, "row column"]:
        """Return s ((z + b e_j) W_dec + b_dec)."""
        require_length(rows, self.directions)
        codes = encode_dense(self.dictionary, rows)
        codes[:, self.feature] += by[:, 0]
        return self.dictionary.scale * (codes @ self.dictionary.W_dec + self.dictionary.b_dec)


class Feature(Data):
    """A feature of a dictionary."""

    feature: StrictInt
    """its number"""
    dictionary: StrictStr | None = None
    """name of the dictionary among those of the subject; may be left out where there is one alone"""

    def part(self, names: Bindings) -> Part:
        """Return the part. Raises `UserError` where there is no such dictionary or feature."""
        return Code(names.dictionary(self.dictionary), self.feature)

    def oblique(self, names: Bindings) -> Part:
        """Return the part that leaves other features alone."""
        return ObliqueCode(names.dictionary(self.dictionary), self.feature)

    def rewritten(self, names: Bindings) -> Part:
        """Return the part that is changed in what the dictionary makes of a row."""
        return RewrittenCode(names.dictionary(self.dictionary), self.feature)
