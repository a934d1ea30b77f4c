"""Distances of observations by what a dictionary of a deeper site reads of them, before it encodes anything."""

import torch

from dtinterp.equivalence.explain.distances.distance import ComparedFrames, relation_of, relative_distance
from dtinterp.equivalence.relation import Relation


def cosine_at_the_site(frames: ComparedFrames) -> Relation:
    """Return half of one minus the cosine of the rows at the dictionary's site, its mean over the windows."""
    unit = torch.nn.functional.normalize(frames.rows().double(), dim=2)
    cosine = torch.einsum("awd,bwd->ab", unit, unit) / unit.shape[1]
    return relation_of((1 - cosine) / 2, frames.frame_id, "raw cosine at the site")


def near_at_the_site(frames: ComparedFrames) -> Relation:
    """Return |x_a − x_b| / (|x_a − x̄| + |x_b − x̄|), with x_a the rows of frame a in all windows, x̄ the frames' mean."""
    rows = frames.rows()
    return relation_of(relative_distance((rows - rows.mean(0)).flatten(1)), frames.frame_id, "near at the site")
