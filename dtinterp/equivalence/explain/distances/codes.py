"""Distance of observations by their codes in a dictionary."""

from dtinterp.equivalence.explain.distances.distance import ComparedFrames, relation_of, relative_distance
from dtinterp.equivalence.relation import Relation


def same_code(frames: ComparedFrames) -> Relation:
    """Return |z_a − z_b| / (|z_a| + |z_b|), with z_a the code of frame a, at deeper sites all its codes in a row.

    Raises `UserError` for a dictionary of a deeper site without windows.
    """
    return relation_of(relative_distance(frames.codes().flatten(1)), frames.frame_id, "same code")
