"""Contexts and frames become what happens when one frame stands in for another.

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

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from dtinterp.dataset.windows import Windows
from dtinterp.equivalence.contexts import Contexts
from dtinterp.equivalence.divergence import js_divergence
from dtinterp.equivalence.relation import Relation
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import progress
from dtinterp.model.transformer import DecisionTransformer

BATCH = 128
"""Swapped windows per forward pass: on a CPU larger batches fall out of its cache, and memory stays flat."""


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


@torch.no_grad()
def swap_frames(
    model: DecisionTransformer,
    contexts: Contexts,
    *,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
) -> Swaps:
    """Put each frame of `frame_id` in the place of each other one in all of that one's contexts.

    `items` is the one-hot coded frame table. Raises `UserError` where a frame is not in the table, given twice, or has
    no context, or where a context is about another frame.
    """
    _check(contexts, len(items), frame_id)
    rows = []
    with progress("swapping observations", len(contexts)) as bar:
        for frame in frame_id:
            trials = []
            for context in (contexts.frame_id == frame).nonzero().squeeze(1):
                trials.append(_try(model, contexts[context[None]], items=items, frame_id=frame_id))
                bar.advance()
            rows.append(_row(trials))
    columns = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}  # frame frame
    n_contexts = torch.stack([(contexts.frame_id == frame).sum() for frame in frame_id])
    return Swaps(frame_id=frame_id, n_contexts=n_contexts, **columns)


@dataclass(frozen=True)
class _Trial:
    """One context in which every frame stood in for its own."""

    divergence: Float64[Tensor, "frame decision"]
    is_flipped: Bool[Tensor, " frame"]
    step: int
    slot: int


def _try(
    model: DecisionTransformer,
    context: Contexts,
    *,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
) -> _Trial:
    """Compare the decisions from the slot on with those of the frame that really stood there."""
    slot = int(context.slot)
    parts = [model(_put_in(context.windows, slot, stand_in), items) for stand_in in frame_id.split(BATCH)]
    logits = torch.cat(parts)[:, slot:]  # frame decision action
    intact = logits[frame_id == context.frame_id].expand_as(logits)
    return _Trial(
        divergence=js_divergence(logits, intact),
        is_flipped=(logits.argmax(-1) != intact.argmax(-1)).any(1),
        step=int(context.windows.step[0, -1]),
        slot=slot,
    )


def _put_in(window: Windows, slot: int, stand_in: Int64[Tensor, " batch"]) -> Windows:
    """Return the one window with each frame in turn at `slot`."""
    copies = window[torch.zeros_like(stand_in)]
    frame_id = copies.frame_id.clone()
    frame_id[:, slot] = stand_in
    return replace(copies, frame_id=frame_id)


def _row(trials: list[_Trial]) -> dict[str, Tensor]:
    """Sum up the trials of one frame: one value per frame that stood in for it."""
    peaks = torch.stack([trial.divergence.max(1).values for trial in trials])  # context frame
    peak, worst = peaks.max(0)
    decisions = torch.stack([trial.slot + trial.divergence.argmax(1) for trial in trials])
    return {
        "n_decisions": torch.tensor(sum(trial.divergence.shape[1] for trial in trials)),
        "mean": torch.stack([trial.divergence.mean(1) for trial in trials]).mean(0).float(),
        "maximum": peak.float(),
        "n_flips": torch.stack([trial.is_flipped for trial in trials]).sum(0),
        "worst_step": torch.tensor([trial.step for trial in trials])[worst],
        "worst_slot": torch.tensor([trial.slot for trial in trials])[worst],
        "worst_decision": decisions.gather(0, worst[None]).squeeze(0),
    }


def _check(contexts: Contexts, n_table: int, frame_id: Int64[Tensor, " frame"]) -> None:
    for frame in frame_id.tolist():
        if not 0 <= frame < n_table:
            raise UserError(f"frame {frame} is not in the table of {n_table} frames: choose from 0 to {n_table - 1}.")
    if len(frame_id.unique()) < len(frame_id):
        raise UserError("a frame was chosen twice, expected distinct frames: name each once.")
    strangers = set(contexts.frame_id.tolist()) - set(frame_id.tolist())
    if strangers:
        raise UserError(
            f"a context is about frame {min(strangers)}, which was not chosen: draw contexts of chosen frames."
        )
    bare = set(frame_id.tolist()) - set(contexts.frame_id.tolist())
    if bare:
        raise UserError(f"frame {min(bare)} has no contexts to be swapped in: draw some for every chosen frame.")
