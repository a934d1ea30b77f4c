"""Vectors of frames become how far apart frames are inside the model, before anything is swapped.

With o_a the 980 zeros and ones that frame a is shown to a model as, x_a its observation embedding, ō and x̄ their means
over the compared frames, z_a ≥ 0 its code in a dictionary of
that site, and M = C Γ W, where C centres if the first block's norm does, Γ weighs as it does and W holds the query, key
and value matrices of all heads of the first block side by side:

    near in the image          |o_a − o_b| / (|o_a − ō| + |o_b − ō|)
    near in the embedding      |x_a − x_b| / (|x_a − x̄| + |x_b − x̄|)
    near as the heads read it  |(x_a − x_b) M| / (|(x_a − x̄) M| + |(x_b − x̄) M|)
    same code                  |z_a − z_b| / (|z_a| + |z_b|)
    same active features       1 − n(both) / n(either), of features with z ≠ 0 in both, in either    (Jaccard 1901)

Each lies between 0 and 1: what the triangle inequality allows, for all but the last. What all embeddings have in common
cancels, so it does not matter that a frame's three numbers per cell leave the embedding free up to a constant.
"""

import torch
from einops import rearrange
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.equivalence.relation import Relation
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.normalization import LayerNormPre
from dtinterp.model.network.transformer import DecisionTransformer


def near_in_the_image(items: Float32[Tensor, "frame item"], frame_id: Int64[Tensor, " frame"]) -> Relation:
    """Return the distances of frames by what they show, before any model: the control that knows looks alone."""
    return relation_of(relative_distance(items - items.mean(0)), frame_id, "near in the image")


def near_in_the_embedding(x: Float32[Tensor, "frame d_model"], frame_id: Int64[Tensor, " frame"]) -> Relation:
    """Return the distances of frames by their embeddings."""
    return relation_of(relative_distance(x - x.mean(0)), frame_id, "near in the embedding")


@torch.no_grad()
def near_as_heads_read(
    model: DecisionTransformer, x: Float32[Tensor, "frame d_model"], frame_id: Int64[Tensor, " frame"]
) -> Relation:
    """Return the distances of frames by what the heads of the first block take from their embeddings."""
    block = model.layers[0]
    away = x - x.mean(0)
    if isinstance(block.ln1, LayerNormPre):
        away = away - away.mean(1, keepdim=True)
    weighed = away * getattr(block.ln1, "w", torch.ones(()))
    attn = block.attn
    weights = [rearrange(w, "head d_model d -> d_model (head d)") for w in (attn.W_Q, attn.W_K, attn.W_V)]
    return relation_of(relative_distance(weighed @ torch.cat([*weights], dim=1)), frame_id, "near as the heads read it")


def same_code(
    dictionary: Dictionary, x: Float32[Tensor, "frame d_model"], frame_id: Int64[Tensor, " frame"]
) -> Relation:
    """Return the distances of frames by their codes; raises `UserError` for a dictionary of another site."""
    return relation_of(relative_distance(_codes(dictionary, x)), frame_id, "same code")


def same_active_features(
    dictionary: Dictionary, x: Float32[Tensor, "frame d_model"], frame_id: Int64[Tensor, " frame"]
) -> Relation:
    """Return how little frames share of their active features; raises `UserError` for a dictionary of another site."""
    is_active = (_codes(dictionary, x) != 0).double()
    both = is_active @ is_active.T
    n_active = is_active.sum(1)
    either = n_active[:, None] + n_active - both
    return relation_of(1 - both / either.clamp_min(1), frame_id, "same active features")


def relative_distance(x: Float[Tensor, "frame d"]) -> Float[Tensor, "frame frame"]:
    """Return |x_a − x_b| / (|x_a| + |x_b|) for every two rows: 0 where both are the same, 1 where they are opposite."""
    distance = torch.cdist(x.double(), x.double(), compute_mode="donot_use_mm_for_euclid_dist")
    norm = x.double().norm(dim=1)
    return distance / (norm[:, None] + norm).clamp_min(torch.finfo(torch.float64).tiny)


def _codes(dictionary: Dictionary, x: Float32[Tensor, "frame d_model"]) -> Float[Tensor, "frame feature"]:
    if dictionary.site != OBSERVATION_EMBEDDING:
        raise UserError(
            f"the dictionary {dictionary.name!r} reads {dictionary.site}, expected {OBSERVATION_EMBEDDING}, where a "
            "frame has the same code in every window: give one of that site."
        )
    return encode_dense(dictionary, x)


def relation_of(distance: Float[Tensor, "frame frame"], frame_id: Int64[Tensor, " frame"], name: str) -> Relation:
    """Return distances that need no contexts as a relation, rounding errors of symmetry and diagonal removed."""
    clean = torch.maximum(distance, distance.T).clamp(0, 1).float().fill_diagonal_(0)
    return Relation(clean, clean, torch.ones(len(clean), len(clean), dtype=torch.int64), frame_id, name)
