"""Interventions on a model's windows: which row of each is edited, and the logits that result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, SlotEdit, check_site, splice
from dtinterp.dataset.windows import Windows
from dtinterp.interventions.edits.edit import Edit
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import Hook

ABSENT = -1
"""The slot of what is not in the window."""

SlotChoice: TypeAlias = Callable[[Windows], Int64[Tensor, " batch"]]
"""Names one slot a window, counted from 0, or `ABSENT`."""


@dataclass(frozen=True)
class Intervention:
    """One edit at one observation token of each window; every other token stays as it is."""

    site: str
    slot: SlotChoice
    edit: Edit
    found_at: str = OBSERVATION_EMBEDDING
    """site of the rows that a direction was found in; the dictionary of a feature states its own"""


@torch.no_grad()
def intervene(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "frame item"],
    interventions: Sequence[Intervention],
) -> Float32[Tensor, "batch slot action"]:
    """Return the action logits at each slot with the interventions in place; at one site they act in the order given.

    `items` is the one-hot coded frame table that `windows.frame_id` points into. Raises `UserError` for a site that the
    model does not have, a dictionary of another site, or a direction of another length or meaning.
    """
    return model.run_with_hooks(windows, items, fwd_hooks=[*hooks(model, windows, interventions)])


def first_frame(windows: Windows) -> Int64[Tensor, " batch"]:
    """Return the slot of each episode's first frame (env time 0), `ABSENT` once it has left the window."""
    is_first = windows.mask & (windows.time == 0)  # batch slot
    return torch.where(is_first.any(dim=1), is_first.int().argmax(dim=1), ABSENT)


def last_frame(windows: Windows) -> Int64[Tensor, " batch"]:
    """Return the slot of the newest frame, `ABSENT` in a window that is all padding."""
    return torch.where(windows.mask[:, -1], windows.n_slots - 1, ABSENT)


def hooks(model: DecisionTransformer, windows: Windows, interventions: Sequence[Intervention]) -> list[Hook]:
    """Return the hooks that make the interventions while the model runs on just these windows."""
    for each in interventions:
        check_site(model, each.site)
        each.edit.require_site(model, each.site, found_at=each.found_at)
    tokens = model.cfg.observation_tokens
    return [splice(each.site, at_slot(each.edit, each.slot(windows)), tokens) for each in interventions]


def at_slot(edit: Edit, slot: Int64[Tensor, " batch"]) -> SlotEdit:
    """Return the edit of one slot a window; windows whose slot is `ABSENT` keep all their vectors."""

    def change(vectors: Float32[Tensor, "batch slot d_model"]) -> Float32[Tensor, "batch slot d_model"]:
        n_windows, n_slots, _ = vectors.shape
        rows = vectors[torch.arange(n_windows), slot.clamp(min=0)]  # batch d_model
        is_chosen = torch.arange(n_slots, device=slot.device) == slot[:, None]  # batch slot
        return torch.where(is_chosen[..., None], edit.apply(rows)[:, None], vectors)

    return change
