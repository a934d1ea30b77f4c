"""Distance of observations by what the heads of the first block take from their embeddings."""

import torch
from einops import rearrange

from dtinterp.equivalence.explain.distances.distance import ComparedFrames, relation_of, relative_distance
from dtinterp.equivalence.relation import Relation
from dtinterp.model.network.normalization import LayerNormPre


@torch.no_grad()
def near_as_heads_read(frames: ComparedFrames) -> Relation:
    """Return |(x_a − x_b) M| / (|(x_a − x̄) M| + |(x_b − x̄) M|), with x the embeddings and x̄ their mean.

    M = C Γ W, where C centres if the first block's norm does, Γ weighs as it does and W holds the query, key and value
    matrices of all heads of the first block side by side.
    """
    block = frames.model.layers[0]
    away = frames.embedding - frames.embedding.mean(0)
    if isinstance(block.ln1, LayerNormPre):
        away = away - away.mean(1, keepdim=True)
    weighed = away * getattr(block.ln1, "w", torch.ones(()))
    weights = [
        rearrange(w, "head d_model d -> d_model (head d)") for w in (block.attn.W_Q, block.attn.W_K, block.attn.W_V)
    ]
    read = weighed @ torch.cat([*weights], dim=1)
    return relation_of(relative_distance(read), frames.frame_id, "near as the heads read it")
