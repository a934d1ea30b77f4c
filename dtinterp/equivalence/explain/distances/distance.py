"""What every distance of observations reads and returns, and the measures that several share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.trials import embedded
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class ComparedFrames:
    """The observations that a distance is between, as a model and a dictionary see them."""

    model: DecisionTransformer
    items: Float32[Tensor, "frame item"]
    """what each is shown to the model as"""
    embedding: Float32[Tensor, "frame d_model"]
    frame_id: Int64[Tensor, " frame"]
    """rows of the trajectories' frame table"""
    dictionary: Dictionary | None = None
    """of the observation embedding; None for distances that need none"""

    def codes(self) -> Float[Tensor, "frame feature"]:
        """Return the code of each frame; raises `UserError` for a dictionary of another site, or for none."""
        if self.dictionary is None:
            raise UserError("no dictionary was given, so observations have no codes: give one of the embedding.")
        if self.dictionary.site != OBSERVATION_EMBEDDING:
            raise UserError(
                f"the dictionary {self.dictionary.name!r} reads {self.dictionary.site}, expected "
                f"{OBSERVATION_EMBEDDING}, where a frame has the same code in every window: give one of that site."
            )
        return encode_dense(self.dictionary, self.embedding)


Distance: TypeAlias = Callable[[ComparedFrames], Relation]
"""Says how far apart observations are, from 0 to 1, before anything is swapped."""


def compared_frames(
    model: DecisionTransformer,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
    dictionary: Dictionary | None = None,
) -> ComparedFrames:
    """Return some frames of the coded frame table `items` with their embeddings."""
    chosen = items[frame_id]
    return ComparedFrames(model, chosen, embedded(model, chosen), frame_id, dictionary)


def relative_distance(x: Float[Tensor, "frame d"]) -> Float[Tensor, "frame frame"]:
    """Return |x_a − x_b| / (|x_a| + |x_b|) for every two rows: 0 where both are the same, 1 where they are opposite."""
    distance = torch.cdist(x.double(), x.double(), compute_mode="donot_use_mm_for_euclid_dist")
    norm = x.double().norm(dim=1)
    return distance / (norm[:, None] + norm).clamp_min(torch.finfo(torch.float64).tiny)


def relation_of(distance: Float[Tensor, "frame frame"], frame_id: Int64[Tensor, " frame"], name: str) -> Relation:
    """Return distances that need no contexts as a relation, rounding errors of symmetry and diagonal removed."""
    clean = torch.maximum(distance, distance.T).clamp(0, 1).float().fill_diagonal_(0)
    return Relation(clean, clean, torch.ones(len(clean), len(clean), dtype=torch.int64), frame_id, name)
