"""The direction of the instruction in the embeddings of key and ball items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.directions.items import components
from dtinterp.interventions.instruction_flip.scenarios import Cell
from environments.vocabulary import item_index

Recipe: TypeAlias = Literal["first_component", "difference_of_means"]
"""How a direction is taken from item embeddings."""

OBJECTS = ("key", "ball")


@dataclass(frozen=True)
class InstructionDirection:
    """A unit direction along which keys lie above balls, and how much of the item embeddings it holds."""

    vector: Float32[Tensor, " d_model"]
    """of length 1"""
    variance_share: Float32[Tensor, " component"]
    """share of the centred embeddings' variance in each of their principal components"""
    explained: float
    """share of that variance along `vector`"""
    item_projection: Float32[Tensor, "object cell"]
    """the centred embeddings along `vector`: keys, then balls, at the chosen cells"""

    @property
    def is_separating(self) -> bool:
        """Whether every key lies above every ball."""
        return bool(self.item_projection[0].min() > self.item_projection[1].max())


def instruction_direction(
    W_obs: Float[Tensor, "item d_model"], cells: Sequence[Cell], recipe: Recipe = "first_component"
) -> InstructionDirection:
    """Return the instruction's direction in the embeddings (rows of `W_obs`) of key and ball at `cells`, key positive.

    `first_component`: the first principal component of the centred embeddings, as in the published analysis.
    `difference_of_means`: mean key minus mean ball. In one-hot frames the items of one cell and channel sum to one, so
    their embeddings are identifiable only up to a vector shared by the cell; the difference of means is free of it,
    the component is not. Raises `UserError` where key and ball have equal embeddings.
    """
    embeddings = torch.stack([W_obs.detach()[_items(thing, cells)] for thing in OBJECTS]).float()  # object cell d_model
    centred = embeddings - embeddings.mean(dim=(0, 1))
    gap = centred[0].mean(dim=0) - centred[1].mean(dim=0)
    if not gap.norm() > 0:
        raise UserError("keys and balls have equal embeddings at these cells: use a trained model or other cells.")
    principal = components(centred.flatten(0, 1))
    found = principal.vectors[0] if recipe == "first_component" else gap / gap.norm()
    vector = found if found @ gap >= 0 else -found
    projection = centred @ vector  # object cell
    return InstructionDirection(
        vector=vector,
        variance_share=principal.share,
        explained=float(projection.square().sum() / centred.square().sum()),
        item_projection=projection,
    )


def _items(thing: str, cells: Sequence[Cell]) -> list[int]:
    return [item_index(f"{thing} ({x},{y})") for x, y in cells]
