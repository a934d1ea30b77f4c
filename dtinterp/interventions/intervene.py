"""Interventions on a model's windows: which rows of each are edited, and the logits that result."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from dtinterp.activations.sites import SlotEdit, check_site, splice
from dtinterp.dataset.windows import Windows
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.specification import Dosed
from dtinterp.interventions.slots import SlotChoice, TokenKind, tokens_of
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import Hook


@dataclass(frozen=True)
class Intervention:
    """One edit at some tokens of each window; every other token stays as it is."""

    site: str
    slot: SlotChoice
    edit: Edit
    token: TokenKind = "observation"


def made(bound: Dosed, doses: slice, n_windows: int) -> Intervention:
    """Return an edit at some doses as an intervention: in all windows at the first of them, then at the next."""
    return Intervention(bound.at.site, bound.at.slots, bound.edit(doses, n_windows), bound.at.token)


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


def hooks(model: DecisionTransformer, windows: Windows, interventions: Sequence[Intervention]) -> list[Hook]:
    """Return the hooks that make the interventions while the model runs on just these windows."""
    made = []
    for each in interventions:
        check_site(model, each.site)
        each.edit.require_site(model, each.site)
        tokens = tokens_of(model.cfg, each.token)
        edit = each.edit.in_windows(windows)
        made.append(splice(each.site, at_slots(edit, each.slot(windows)), tokens))
    return made


def at_slots(edit: Edit, chosen: Bool[Tensor, "batch slot"]) -> SlotEdit:
    """Return the edit of the chosen slots; windows without one keep all their vectors."""

    def change(vectors: Float32[Tensor, "batch slot d_model"]) -> Float32[Tensor, "batch slot d_model"]:
        there = chosen[:, : vectors.shape[1]]
        if not there.any():
            return vectors
        changed = vectors.clone()
        window = there.nonzero()[:, 0]
        changed[there] = edit.of_rows(window).apply(vectors[there])
        return changed

    return change
