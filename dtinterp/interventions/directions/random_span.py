"""Random directions: of the whole sphere, or of the span in which items or rows differ."""

from typing import Annotated, Literal

import torch
from jaxtyping import Float32
from pydantic import Field, StrictInt
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.interventions.controls.drawn import directions_of_differences, random_directions
from dtinterp.interventions.directions.finder import DirectionFinder, FoundDirections, Material
from dtinterp.interventions.directions.items import item_embeddings, items_at
from dtinterp.interventions.directions.labelled_rows import rows_at
from environments.vocabulary import CHANNELS, VIEW, item_index

SCENERY = {"unseen", "empty", "wall", "floor", "agent"}
"""What is no thing that an agent goes by."""
EVERYWHERE = tuple((x, y) for x in range(VIEW) for y in range(VIEW))


class RandomDirection(DirectionFinder):
    """Random directions, each on its own: a span's are random sums of what differs in it.

    Most of the whole sphere is not read by a model, so that its directions prove little.
    """

    kind: Literal["random"] = "random"
    span: Literal["items", "rows", "sphere"] = "items"
    """of the embeddings of the world's things, such as key and ball, at every cell; of the windows' rows; or the whole
    sphere"""
    frame: Literal["first", "last"] = "last"
    """whose rows span"""
    n: Annotated[StrictInt, Field(ge=1, le=10_000)] = 1
    """how many"""

    def find(self, material: Material) -> FoundDirections:
        """Draw the directions."""
        rng = generator(material.seed, f"interventions/random/{self.span}")
        return FoundDirections(
            vectors=self._drawn(material, rng),
            names=tuple(f"random {self.span} {place}" for place in range(self.n)),
            found_at=OBSERVATION_EMBEDDING if self.span == "items" else material.site,
        )

    def _drawn(self, material: Material, rng: torch.Generator) -> Float32[Tensor, "direction d_model"]:
        rows = rows_at(material, material.windows, self.frame)[0]
        if self.span == "sphere":
            return random_directions(self.n, rows.shape[1], rng)
        spanned = rows if self.span == "rows" else self._items(material)
        return directions_of_differences(spanned - spanned.mean(dim=0), self.n, rng)

    def _items(self, material: Material) -> Float32[Tensor, "item d_model"]:
        """Return the embeddings, at every cell of the view, of the things that the demonstrations show."""
        shown = {CHANNELS[0][value] for value in material.subject.trajectories.frames[..., 0].unique().tolist()}
        things = tuple(thing for thing in CHANNELS[0] if thing in shown - SCENERY)
        if not things:
            raise UserError("the demonstrations show no things, whose items could span: choose rows or sphere.")
        index = torch.tensor([item_index(name) for name in items_at(things, EVERYWHERE)])
        return item_embeddings(material.subject.model, index, scaled=False)
