"""The direction of a dictionary's feature: what it writes, or what it reads."""

from typing import Annotated, Literal

from pydantic import Field, StrictInt, StrictStr
from torch.nn.functional import cosine_similarity

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.directions.finder import DirectionFinder, FoundDirections, Material, unit


class FeatureDirection(DirectionFinder):
    """A row of the decoder, or the column of the encoder, at length 1."""

    kind: Literal["feature"] = "feature"
    feature: Annotated[StrictInt, Field(ge=0)]
    """its number, from 0"""
    dictionary: StrictStr
    """name of one of the subject's dictionaries"""
    side: Literal["decoder", "encoder"] = "decoder"
    """what the feature writes, or what it reads"""

    def find(self, material: Material) -> FoundDirections:
        """Return the direction. Raises `UserError` where the dictionary lacks the feature."""
        dictionary = material.dictionary(self.dictionary)
        if self.feature >= dictionary.width:
            raise UserError(
                f"the feature is {self.feature}, expected 0 to {dictionary.width - 1}: {dictionary.name!r} has no more."
            )
        writes, reads = dictionary.W_dec[self.feature], dictionary.W_enc[:, self.feature]
        name = f"feature {self.feature} of {self.dictionary}"
        return FoundDirections(
            vectors=unit(writes if self.side == "decoder" else reads, name)[None],
            names=(name,),
            found_at=dictionary.site,
            explains={
                "cosine of decoder and encoder": float(cosine_similarity(writes, reads, dim=0)),
                "units of a code": float(writes.norm() * dictionary.scale),
            },
        )
