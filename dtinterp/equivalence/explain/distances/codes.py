"""Distance of observations by their codes in a dictionary."""

from dtinterp.equivalence.explain.distances.distance import ComparedFrames, relation_of, relative_distance
from dtinterp.equivalence.relation import Relation


def same_code(frames: ComparedFrames) -> Relation:
    """Return |z_a − z_b| / (|z_a| + |z_b|), with z_a ≥ 0 the code of frame a.

    Raises `UserError` for a dictionary of another site than the embedding.
    """
    return relation_of(relative_distance(frames.codes()), frames.frame_id, "same code")
