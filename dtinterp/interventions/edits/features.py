"""Edits of one feature of a dictionary: set, add, ablate."""

from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.edits.edit import Coefficient, Edit, moved
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class AddFeature(Edit):
    """x ← x + c s d, with d the feature's decoder row and s the dictionary's scale."""

    dictionary: Dictionary
    feature: int
    coefficient: Coefficient
    """c, in the units of codes"""

    def __post_init__(self) -> None:
        """Refuse a feature that the dictionary does not have."""
        width = self.dictionary.width
        if not 0 <= self.feature < width:
            raise UserError(
                f"the feature is {self.feature}, expected 0 to {width - 1}: {self.dictionary.name!r} has no more."
            )

    def changed(self, rows: Float32[Tensor, "batch d_model"]) -> Float32[Tensor, "batch d_model"]:
        """Return x + c s d."""
        return moved(rows, self.decoded, self.coefficient)

    def require_site(self, model: DecisionTransformer, site: str, *, found_at: str) -> None:  # noqa: ARG002
        """Raise `UserError` at another site than the dictionary's."""
        if self.dictionary.site != site:
            raise UserError(
                f"the dictionary {self.dictionary.name!r} was fitted at {self.dictionary.site}, the intervention is at "
                f"{site}: intervene at the dictionary's site."
            )

    @property
    def decoded(self) -> Float32[Tensor, " d_model"]:
        """What one unit of the feature's code adds to a row."""
        return self.dictionary.scale * self.dictionary.W_dec[self.feature]


@dataclass(frozen=True)
class SetFeature(AddFeature):
    """x ← x + (c − z) s d, with z the feature's activation.

    What the dictionary does not explain about the row stays as it is.
    """

    def changed(self, rows: Float32[Tensor, "batch d_model"]) -> Float32[Tensor, "batch d_model"]:
        """Return x + (c − z) s d."""
        activation = encode_dense(self.dictionary, rows)[:, self.feature]
        return moved(rows, self.decoded, self.coefficient - activation)


@dataclass(frozen=True)
class AblateFeature(SetFeature):
    """x ← x − z s d: `SetFeature` to 0."""

    coefficient: Coefficient = 0.0
