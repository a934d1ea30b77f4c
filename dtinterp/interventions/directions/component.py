"""Principal components of item embeddings: of items that are named, or of those that tell a fact."""

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Int64
from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.specifications import distinct
from dtinterp.interventions.directions.finder import DirectionFinder, FoundDirections, Material, oriented
from dtinterp.interventions.directions.items import components, item_embeddings, telling_items
from environments.vocabulary import item_index


def _known_item(name: str) -> str:
    item_index(name)
    return name


ItemName = Annotated[StrictStr, AfterValidator(_known_item)]


class ComponentDirection(DirectionFinder):
    """The first principal components of item embeddings, as in the published analysis.

    In one-hot frames the items of one cell and channel sum to one, so their embeddings are identifiable only up to a
    vector shared by the cell, which a component holds a part of; a difference of means is free of it.
    """

    kind: Literal["component"] = "component"
    items: Annotated[tuple[ItemName, ...], Field(min_length=2), AfterValidator(distinct)] | None = None
    """items by name, such as `key (2,6)`; the first one's value, such as key, is the positive end"""
    tell: StrictStr | None = None
    """instead of items by name: a fact, such as instruction, whose items are found in the windows; its lower value is
    the positive end"""
    purity: Annotated[StrictFloat, Field(gt=0.5, le=1)] = 0.95
    """share of an item's windows that must have one value of the fact"""
    n: Annotated[StrictInt, Field(ge=1)] = 1
    """how many components"""
    scaled: StrictBool = True
    """whether embeddings are scaled to length 1 before, as in the published analysis"""

    @model_validator(mode="after")
    def _says_which_items(self) -> "ComponentDirection":
        if (self.items is None) == (self.tell is None):
            raise ValueError("the items are named or found: give either `items` or `tell`")
        return self

    def find(self, material: Material) -> FoundDirections:
        """Return the components. Raises `UserError` where there are too few items."""
        index, is_positive = self.chosen(material)
        if self.n > len(index) - 1:
            raise UserError(
                f"{len(index)} items have {len(index) - 1} components, {self.n} are asked for: ask for fewer."
            )
        embeddings = item_embeddings(material.subject.model, index, scaled=self.scaled)
        found = components(embeddings)
        vectors = found.vectors[: self.n].clone()
        if 0 < int(is_positive.sum()) < len(index):
            vectors[0] = oriented(
                vectors[0], embeddings[is_positive].mean(dim=0) - embeddings[~is_positive].mean(dim=0)
            )
        along = embeddings @ vectors[0]
        is_apart = is_positive.any() and not is_positive.all() and along[is_positive].min() > along[~is_positive].max()
        return FoundDirections(
            vectors=vectors,
            names=tuple(f"component {place + 1}" for place in range(self.n)),
            found_at=OBSERVATION_EMBEDDING,
            explains={
                "items": float(len(index)),
                "separates": float(is_apart),
                **{
                    f"variance share {place + 1}": float(share) for place, share in enumerate(found.share[: self.n + 1])
                },
            },
        )

    def chosen(self, material: Material) -> tuple[Int64[Tensor, " chosen"], Bool[Tensor, " chosen"]]:
        """Return the items, and which of them are to lie at the positive end."""
        if self.tell is not None:
            telling = telling_items(material.windows, self.tell, purity=self.purity)
            return telling.index, telling.is_first
        names = [*(self.items or ())]
        value = names[0].split()[0]
        return torch.tensor([item_index(name) for name in names]), torch.tensor(
            [name.split()[0] == value for name in names]
        )
