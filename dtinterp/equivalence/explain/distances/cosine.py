"""Distance of observations by the cosine of their embeddings, as they are."""

import torch

from dtinterp.equivalence.explain.distances.distance import ComparedFrames, relation_of
from dtinterp.equivalence.relation import Relation


def raw_cosine(frames: ComparedFrames) -> Relation:
    """Return half of one minus the cosine, between 0 and 1."""
    unit = torch.nn.functional.normalize(frames.embedding.double(), dim=1)
    return relation_of((1 - unit @ unit.T) / 2, frames.frame_id, "raw cosine")
