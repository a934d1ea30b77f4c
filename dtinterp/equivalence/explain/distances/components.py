"""Distance of observations by the first principal components of their embeddings."""

import torch

from dtinterp.equivalence.explain.distances.distance import ComparedFrames, relation_of, relative_distance
from dtinterp.equivalence.relation import Relation

N_COMPONENTS = 8
"""As many numbers as a dictionary with eight active features would give."""


def first_components(frames: ComparedFrames, n_components: int = N_COMPONENTS) -> Relation:
    """Return the relative distances of embeddings in their first principal components, frames weighing alike."""
    x = frames.embedding
    centred = (x - x.mean(0)).double()
    components = torch.linalg.svd(centred, full_matrices=False).Vh[:n_components]  # component d_model
    name = f"first {n_components} principal components"
    return relation_of(relative_distance(centred @ components.T), frames.frame_id, name)
