"""Distance of observations by the sets of their active features."""

from dtinterp.equivalence.explain.distances.distance import ComparedFrames, relation_of
from dtinterp.equivalence.relation import Relation


def same_active_features(frames: ComparedFrames) -> Relation:
    """Return 1 − n(both) / n(either), of features that are active in both frames, or in either (Jaccard 1901).

    At deeper sites a feature counts once for each window. Raises `UserError` for a dictionary of a deeper site without
    windows.
    """
    is_active = (frames.codes() != 0).flatten(1).double()
    both = is_active @ is_active.T
    n_active = is_active.sum(1)
    either = n_active[:, None] + n_active - both
    return relation_of(1 - both / either.clamp_min(1), frames.frame_id, "same active features")
