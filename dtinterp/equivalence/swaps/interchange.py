"""Interchange of observations: what a model does when one frame stands in for another, over all contexts.

With C_a the contexts drawn for frame a, each a window w with a at slot s; w[s←b] the same window with b's embedding in
the place of a's and everything else as it was; and π_t the model's action distribution at slot t:

    D(c, t, b)  = JS(π_t(w), π_t(w[s←b]))  bits,       for c = (w, s) in C_a and t = s, s + 1, … last slot
    maximum a→b = max over c in C_a of max over t of D(c, t, b)
    mean    a→b = mean over c in C_a of mean over t of D(c, t, b)

The decisions t > s are what makes memory count: two instructions that call for the same first step and for different
turns later are told apart at the turn. Both directions together are the relation of a and b:

    maximum(a, b) = max(maximum a→b, maximum b→a)
    mean(a, b)    = (|C_a| mean a→b + |C_b| mean b→a) / (|C_a| + |C_b|)
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.equivalence.swaps.trials import Trials, try_swaps
from dtinterp.foundation.artefacts.soundness import require_within
from dtinterp.model.network.transformer import DecisionTransformer

LARGEST = 2**40
"""More contexts than there ever are; sums of so many are still exact."""


@dataclass(frozen=True)
class Swaps:
    """For each ordered pair [a, b], what b did in a's place."""

    frame_id: Int64[Tensor, " frame"]
    """rows of the trajectories' frame table"""
    n_contexts: Int64[Tensor, " frame"]
    """contexts of a: each is one swap for every b"""
    n_decisions: Int64[Tensor, " frame"]
    """decisions compared in them together"""
    mean: Float32[Tensor, "frame frame"]
    """bits"""
    maximum: Float32[Tensor, "frame frame"]
    """bits"""
    n_flips: Int64[Tensor, "frame frame"]
    """swaps that changed the most likely action of at least one decision"""
    worst_step: Int64[Tensor, "frame frame"]
    """where the maximum was met: the flat step at which the window ends"""
    worst_slot: Int64[Tensor, "frame frame"]
    """the slot of the swap in it, counted from 0"""
    worst_decision: Int64[Tensor, "frame frame"]
    """the slot of the decision that moved most"""

    def __post_init__(self) -> None:
        """Refuse divergences outside 0 to 1 bit, of a frame from itself, and counts of contexts that are none."""
        require_within("the mean divergence", self.mean, 0, 1)
        require_within("the largest divergence", self.maximum, 0, 1)
        require_within("the divergence of a frame from itself", self.maximum.diagonal(), 0, 0)
        require_within("the mean divergence of a frame from itself", self.mean.diagonal(), 0, 0)
        require_within("the number of contexts", self.n_contexts, 1, LARGEST)

    def relation(self, name: str) -> Relation:
        """Return both directions together, as the formulas above say; a frame has its own contexts just once."""
        weighted = self.mean.double() * self.n_contexts[:, None]
        n_contexts = self.n_contexts[:, None] + self.n_contexts - self.n_contexts.diag()
        return Relation(
            mean=((weighted + weighted.T) / n_contexts).float(),
            maximum=torch.maximum(self.maximum, self.maximum.T),
            n_contexts=n_contexts,
            frame_id=self.frame_id,
            name=name,
        )


def swap_frames(
    model: DecisionTransformer,
    contexts: Contexts,
    *,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
) -> Swaps:
    """Put each frame of `frame_id` in the place of each other one in all of that one's contexts.

    `items` is the one-hot coded frame table. Raises `UserError` where `try_swaps` does.
    """
    return summed(try_swaps(model, contexts, items=items, frame_id=frame_id))


def summed(trials: Trials) -> Swaps:
    """Return what each ordered pair's swaps came to, over all contexts of the first."""
    is_of = trials.contexts.frame_id == trials.frame_id[:, None]  # frame context
    rows = [_row(trials, chosen.nonzero().squeeze(1)) for chosen in is_of]
    columns = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}  # frame frame
    return Swaps(frame_id=trials.frame_id, n_contexts=is_of.sum(1), **columns)


def _row(trials: Trials, chosen: Int64[Tensor, " context"]) -> dict[str, Tensor]:
    """Sum up the trials of one frame: one value per frame that stood in for it."""
    peak, worst = trials.peak[chosen].max(0)
    windows, slot = trials.contexts.windows, trials.contexts.slot[chosen]
    return {
        "n_decisions": (windows.n_slots - slot).sum(),
        "mean": trials.mean[chosen].double().mean(0).float(),
        "maximum": peak,
        "n_flips": trials.is_flipped[chosen].sum(0),
        "worst_step": windows.step[chosen, -1][worst],
        "worst_slot": slot[worst],
        "worst_decision": trials.decision[chosen].gather(0, worst[None]).squeeze(0).long(),
    }
