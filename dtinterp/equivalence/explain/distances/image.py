"""Distance of observations by what they show, before any model: the control that knows looks alone."""

from dtinterp.equivalence.explain.distances.distance import ComparedFrames, relation_of, relative_distance
from dtinterp.equivalence.relation import Relation


def near_in_the_image(frames: ComparedFrames) -> Relation:
    """Return |o_a − o_b| / (|o_a − ō| + |o_b − ō|), with o_a the zeros and ones that frame a is shown to a model as.

    ō is their mean over the frames.
    """
    return relation_of(relative_distance(frames.items - frames.items.mean(0)), frames.frame_id, "near in the image")
