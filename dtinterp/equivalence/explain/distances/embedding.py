"""Distance of observations by their embeddings."""

from dtinterp.equivalence.explain.distances.distance import ComparedFrames, relation_of, relative_distance
from dtinterp.equivalence.relation import Relation


def near_in_the_embedding(frames: ComparedFrames) -> Relation:
    """Return |x_a − x_b| / (|x_a − x̄| + |x_b − x̄|), with x_a the embedding of frame a and x̄ their mean.

    It lies between 0 and 1 by the triangle inequality. What all embeddings have in common cancels, so it does not
    matter that a frame's three numbers per cell leave the embedding free up to a constant.
    """
    x = frames.embedding
    return relation_of(relative_distance(x - x.mean(0)), frames.frame_id, "near in the embedding")
