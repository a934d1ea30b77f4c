"""How well a model predicts actions: overall, by slot, by return and by sampler."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float32, Float64
from torch import Tensor
from torch.nn import functional

from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.codec import ArtefactKind
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.foundation.statistics import Interval, bootstrap_mean, wilson
from dtinterp.model.network.transformer import DecisionTransformer

BATCH = 1024
EDGES = (0.0, 0.25, 0.5, 0.75)
"""Where one bucket of returns-to-go ends and the next begins."""
BUCKETS = (
    f"at most {EDGES[0]:g}",
    *(f"{low:g} to {high:g}" for low, high in pairwise(EDGES)),
    f"above {EDGES[-1]:g}",
)


@dataclass(frozen=True)
class Prediction:
    """How well actions are predicted, one action a window."""

    loss: Interval
    """cross-entropy in nats, bootstrap over windows"""
    accuracy: Interval
    """share of actions that are the most likely one, Wilson"""


@dataclass(frozen=True)
class Breakdown:
    """The predictions of different windows and slots; what no window shows is left out.

    Each window counts with one action, so that samples are apart: the newest, or that of the slot.
    """

    overall: Prediction
    by_slot: Mapping[str, Prediction]
    """slots counted from 1; the earlier ones are pads in short histories"""
    by_return: Mapping[str, Prediction]
    """by the return-to-go of the newest slot"""
    by_sampler: Mapping[str, Prediction]
    """by who acted"""


@dataclass(frozen=True)
class BreakdownStudy:
    """The predictions of a model on held-out windows, and of what they were held out."""

    n_windows: int
    held_out: str
    """of which episodes they are"""
    split: Mapping[str, int]
    """how much was held out, and how many frames training never shows"""
    validation: Breakdown


VALIDATION = ArtefactKind("validation", BreakdownStudy, places={"": "metrics", "n_windows": "config.n_windows"})


@torch.no_grad()
def break_down(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "frame item"],
    trajectories: Trajectories,
    *,
    seed: int,
) -> Breakdown:
    """Return how well the actions of `windows`, cut from `trajectories`, are predicted.

    Raises `UserError` where there are no windows, or where one has nothing in its newest slot.
    """
    if len(windows) == 0 or not windows.mask[:, -1].all():
        raise UserError("a window has no newest step to predict, expected windows that end at a step: give others.")
    parts = [windows[start : start + BATCH] for start in range(0, len(windows), BATCH)]
    logits = torch.cat([model(part.to(items.device), items).cpu() for part in parts])  # batch slot action
    scores = _Scores(_surprise(logits, windows), logits.argmax(-1) == windows.action, seed)
    newest = windows.n_slots - 1
    bucket = torch.bucketize(windows.rtg[:, newest].contiguous(), torch.tensor(EDGES))
    sampler = trajectories.sampler[trajectories.episode[windows.step[:, newest]]]
    return Breakdown(
        overall=scores.of(windows.mask[:, newest], newest),
        by_slot={
            f"slot {slot + 1}": scores.of(windows.mask[:, slot], slot)
            for slot in range(windows.n_slots)
            if windows.mask[:, slot].any()
        },
        by_return={BUCKETS[each]: scores.of(bucket == each, newest) for each in bucket.unique().tolist()},
        by_sampler={
            trajectories.samplers[each]: scores.of(sampler == each, newest) for each in sampler.unique().tolist()
        },
    )


@dataclass(frozen=True)
class _Scores:
    loss: Float64[Tensor, "batch slot"]
    is_hit: Bool[Tensor, "batch slot"]
    seed: int

    def of(self, chosen: Bool[Tensor, " batch"], slot: int) -> Prediction:
        """Return how well the actions at a slot of the chosen windows are predicted."""
        loss, is_hit = self.loss[chosen, slot], self.is_hit[chosen, slot]
        return Prediction(
            loss=bootstrap_mean(loss.numpy(), numpy_generator(self.seed, "model/breakdown")),
            accuracy=wilson(int(is_hit.sum()), len(is_hit)),
        )


def _surprise(logits: Float32[Tensor, "batch slot action"], windows: Windows) -> Float64[Tensor, "batch slot"]:
    """Return −log π(a) in nats; what stands at pads means nothing."""
    action = torch.where(windows.mask, windows.action, 0)
    return -functional.log_softmax(logits.double(), dim=-1).gather(-1, action[..., None]).squeeze(-1)
