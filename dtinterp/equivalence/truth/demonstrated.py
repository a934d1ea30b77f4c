"""Distance of frames by what the demonstrator did when it saw them.

With n(f, a) the steps that show frame f and at which action a was taken, and p_f(a) = n(f, a) / Σ_a n(f, a):

    D(f, g) = JS(p_f, p_g)  bits
"""

import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.foundation.errors import UserError

NEVER = -1e4
"""The logit of an action that was never taken."""


def demonstrated(trajectories: Trajectories, frame_id: Int64[Tensor, " frame"], n_actions: int = 7) -> Relation:
    """Return the distances of frames by the actions that were demonstrated at them, under all samplers together.

    The number of contexts of a pair is that of the rarer frame's steps. Raises `UserError` for a frame that no
    demonstration shows.
    """
    pair = trajectories.frame_id.long() * n_actions + trajectories.action.long()
    counts = torch.bincount(pair, minlength=len(trajectories.frames) * n_actions).view(-1, n_actions)[frame_id]
    shown = counts.sum(1)
    if not shown.all():
        missing = int(frame_id[shown == 0][0])
        raise UserError(f"frame {missing} is shown by no demonstration: choose frames that the data shows.")
    logits = torch.where(counts > 0, counts.double().log(), NEVER)
    first, second = torch.broadcast_tensors(logits[:, None], logits[None])  # frame frame action
    divergence = js_divergence(first, second).float().fill_diagonal_(0)
    divergence = torch.maximum(divergence, divergence.T)
    return Relation(divergence, divergence, torch.minimum(shown[:, None], shown), frame_id, "demonstrated actions")
