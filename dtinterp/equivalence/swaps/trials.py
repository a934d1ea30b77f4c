"""Swaps one by one: one row a context, one column a frame that stood in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int8, Int64
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, between_blocks, require_among
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache, numbered
from dtinterp.model.network.continuation import continuation
from dtinterp.model.network.transformer import DecisionTransformer

SWAPS_AT_ONCE = 8192
"""Swaps in a piece of work, about; one that is interrupted loses no more."""


@dataclass(frozen=True)
class Trials:
    """What each frame did in the place of each context's own one, over the decisions from that slot on."""

    contexts: Contexts
    frame_id: Int64[Tensor, " frame"]
    """rows of the trajectories' frame table"""
    peak: Float32[Tensor, "context frame"]
    """largest divergence of a decision, in bits"""
    mean: Float32[Tensor, "context frame"]
    """mean divergence of the decisions, in bits"""
    at_once: Float32[Tensor, "context frame"]
    """divergence of the decision at the swapped slot itself, in bits"""
    is_flipped: Bool[Tensor, "context frame"]
    """whether the most likely action of some decision changed"""
    decision: Int8[Tensor, "context frame"]
    """slot of the decision that moved most, counted from 0"""


@dataclass(frozen=True)
class Moved:
    """What some embeddings did at one slot of one window."""

    divergence: Float64[Tensor, "batch decision"]
    """bits, from the slot on"""
    is_flipped: Bool[Tensor, " batch"]


@torch.no_grad()
def try_swaps(
    model: DecisionTransformer,
    contexts: Contexts,
    *,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
    site: str = OBSERVATION_EMBEDDING,
    cache: JobCache = NO_CACHE,
) -> Trials:
    """Put each frame of `frame_id` in the place of each context's own one.

    What is swapped is the observation's embedding, or, at another site, the residual stream at its token. Contexts that
    differ in nothing but the frame that is swapped are computed once. `items` is the one-hot coded frame table. Raises
    `UserError` for a site that the model does not have, and where a frame is not in the table, given twice, or has no
    context, or where a context is about another frame.
    """
    _check(contexts, len(items), frame_id)
    stand_ins = _StandIns(model, items, frame_id, embedded(model, items[frame_id]), layer_of(model, site))
    groups = _same_but_for_the_frame(contexts)
    pieces = numbered(len(groups), max(1, SWAPS_AT_ONCE // len(frame_id)))
    jobs = {name: [contexts[twins] for twins in groups[part]] for name, part in pieces.items()}
    parts = cache.done("swapping observations", jobs, partial(_swapped, stand_ins))
    order = torch.cat(groups).argsort()  # context
    stacked = {name: torch.cat([part[name] for part in parts])[order] for name in parts[0]}
    return Trials(contexts, frame_id, **stacked)


@torch.no_grad()
def embedded(model: DecisionTransformer, items: Float32[Tensor, "frame item"]) -> Float32[Tensor, "frame d_model"]:
    """Return the observation embeddings of coded frames."""
    return (items @ model.W_obs).float()


def layer_of(model: DecisionTransformer, site: str) -> int:
    """Return the block that reads what is swapped at `site`; the number of blocks where only the last norm does.

    Raises `UserError` for a site that the model does not have, or that is inside a block.
    """
    require_among(between_blocks(model), site)
    if site == OBSERVATION_EMBEDDING:
        return 0
    _, layer, hook = site.split(".")
    return int(layer) + hook.endswith("post")


def moved(logits: Float[Tensor, "batch decision action"], intact: Float[Tensor, "decision action"]) -> Moved:
    """Compare the decisions of each stand-in with those of the frame that really stood there."""
    same = intact.expand_as(logits)
    return Moved(js_divergence(logits, same), (logits.argmax(-1) != same.argmax(-1)).any(1))


def at_once(trials: Trials) -> Float32[Tensor, "frame frame"]:
    """Return the largest divergence of each two frames at the decision of the swapped slot, of either direction."""
    rows = torch.stack([trials.at_once[trials.contexts.frame_id == frame].max(0).values for frame in trials.frame_id])
    return torch.maximum(rows, rows.T)


@dataclass(frozen=True)
class _StandIns:
    """What is put in the place of each context's own frame."""

    model: DecisionTransformer
    items: Float32[Tensor, "table item"]
    frame_id: Int64[Tensor, " frame"]
    embedding: Float32[Tensor, "frame d_model"]
    layer: int


@torch.no_grad()
def _swapped(stand_ins: _StandIns, groups: Sequence[Contexts]) -> dict[str, Tensor]:
    """Return the columns of all contexts of some groups, one after the other."""
    rows = []
    for twins in groups:
        slot = int(twins.slot[0])
        start = continuation(stand_ins.model, twins.windows[:1], stand_ins.items, slot)
        logits = start.logits(stand_ins.embedding, layer=stand_ins.layer)
        own = (twins.frame_id[:, None] == stand_ins.frame_id).int().argmax(1)  # twin
        rows += [_columns(moved(logits, logits[each]), slot) for each in own]
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def _columns(found: Moved, slot: int) -> dict[str, Tensor]:
    peak, decision = found.divergence.max(1)
    return {
        "peak": peak.float(),
        "mean": found.divergence.mean(1).float(),
        "at_once": found.divergence[:, 0].float(),
        "is_flipped": found.is_flipped,
        "decision": (slot + decision).to(torch.int8),
    }


def _same_but_for_the_frame(contexts: Contexts) -> list[Int64[Tensor, " twin"]]:
    """Return groups of contexts whose windows are alike but for the frame at the one slot."""
    windows = contexts.windows
    blank = windows.frame_id.scatter(1, contexts.slot[:, None], -1)
    rows = replace(contexts, windows=replace(windows, frame_id=blank)).seen()
    group = torch.from_numpy(np.unique(rows.numpy(), axis=0, return_inverse=True)[1].reshape(-1))
    return [(group == number).nonzero().squeeze(1) for number in range(int(group.max()) + 1)]


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
