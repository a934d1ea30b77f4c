"""How far a model tells windows from the same windows with key and ball exchanged, site by site.

Exchanging every key for a ball and every ball for a key, in all frames of a window, changes instruction and targets
together, so the same turns stay right. With x and m what stands at an observation token of a window and of its mirror
image, and y what stands there in another window at the same slot:

    distinct  = sqrt( mean |x − m|² / mean |x − y|² )

1 is as different as any two windows, 0 is collapsed. At the end stands what became of it: the Jensen–Shannon divergence
of the action distributions, in bits.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from dtinterp.activations.harvest import harvest, logits_at_rows
from dtinterp.activations.sites import OBSERVATION_EMBEDDING, between_blocks
from dtinterp.dataset.windows import Windows
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.model.network.frames import encoded
from dtinterp.model.network.transformer import DecisionTransformer
from environments.vocabulary import CHANNELS

KEY, BALL = CHANNELS[0].index("key"), CHANNELS[0].index("ball")


@dataclass(frozen=True)
class Reflection:
    """How far a model tells windows from their mirror images."""

    sites: tuple[str, ...]
    """in the order in which the model computes them"""
    distinct: tuple[float | None, ...]
    """per site, from 0, collapsed, to 1, as different as any two windows; None where all windows are alike there"""
    mean: float
    """mean divergence of the decisions, in bits"""
    maximum: float
    """largest divergence of a decision, in bits"""
    other: float
    """mean divergence of a decision from that of another window at the same slot: the scale of the two above"""
    n_flips: int
    """decisions whose most likely action is another one"""
    n_decisions: int


def mirrored(frames: UInt8[Tensor, "frame view view 3"]) -> UInt8[Tensor, "frame view view 3"]:
    """Return the frames with keys for balls and balls for keys, colours and all else as they were."""
    found, objects = frames.clone(), frames[..., 0]
    found[..., 0] = torch.where(objects == KEY, BALL, torch.where(objects == BALL, KEY, objects))
    return found


def reflect(model: DecisionTransformer, windows: Windows, frames: UInt8[Tensor, "table view view 3"]) -> Reflection:
    """Compare windows that show a key or a ball with their mirror images; `frames` is the trajectories' table.

    Raises ValueError where no window shows either.
    """
    items = encoded(torch.cat([frames, mirrored(frames)]), model.cfg.n_items)
    differs = (mirrored(frames) != frames).flatten(1).any(1)
    chosen = windows[(differs[windows.frame_id] & windows.mask).any(1)]
    if not len(chosen):
        raise ValueError("no window shows a key or a ball: there is nothing to mirror")
    images = replace(chosen, frame_id=chosen.frame_id + len(frames) * chosen.mask)
    sites = between_blocks(model)
    logits, reflected = (_logits(model, each, items) for each in (chosen, images))
    divergence = js_divergence(logits, reflected)
    partner = _partners(chosen)
    return Reflection(
        sites=sites,
        distinct=tuple(_distinct(model, chosen, images, items=items, site=site, partner=partner) for site in sites),
        mean=float(divergence.mean()),
        maximum=float(divergence.max()),
        other=float(js_divergence(logits, logits[partner]).mean()),
        n_flips=int((logits.argmax(-1) != reflected.argmax(-1)).sum()),
        n_decisions=len(logits),
    )


def _logits(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "table item"]
) -> Float32[Tensor, "row action"]:
    return logits_at_rows(model, windows, items, site=OBSERVATION_EMBEDDING, edit=None)


def _distinct(
    model: DecisionTransformer,
    windows: Windows,
    images: Windows,
    *,
    items: Float32[Tensor, "table item"],
    site: str,
    partner: Int64[Tensor, " row"],
) -> float | None:
    x, image = (harvest(model, each, items, site).value.double() for each in (windows, images))
    away, apart = (x - image).square().sum(1).mean(), (x - x[partner]).square().sum(1).mean()
    return float((away / apart).sqrt()) if apart > 0 else None


def _partners(windows: Windows) -> Int64[Tensor, " row"]:
    """Return for each real slot's row that of the next window that has the slot, in a ring."""
    slot = torch.arange(windows.n_slots).expand_as(windows.step)[windows.mask]
    partner = torch.empty_like(slot)
    for each in slot.unique():
        rows = (slot == each).nonzero().squeeze(1)
        partner[rows] = rows.roll(-1)
    return partner
