"""The published experiments on the instruction, by the published recipe, on any model of the memory task.

At the decision points frames are edited: the other instruction, its object added as a decoy elsewhere, or the targets
exchanged in the first or in the last frame; or a direction of the first frame's token is set. What is measured is
LD = logit(left) − logit(right) where the turn is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.interventions.directions.component import ComponentDirection
from dtinterp.interventions.directions.finder import FoundDirections, Material
from dtinterp.interventions.directions.items import items_at
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.intervene import Intervention, intervene
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.slots import first_frame
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.interventions.windows.decision_points import DecisionPoints
from dtinterp.interventions.windows.frame_edits import FrameEdit
from dtinterp.interventions.windows.histories import Asked
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.subject.subject import Subject
from environments.vocabulary import ACTIONS

THINGS = ("key", "ball")
INSTRUCTION = (2, 6)
"""The cell of the first frame that shows the instruction."""
INSTRUCTION_CELLS = ((4, 2), (4, 3), (0, 5), (2, 6))
"""Cells where it can be seen, from its own room and from the corridor."""
TARGET_CELLS = ((1, 2), (5, 2), (1, 6), (5, 6))
DECOYS = {"(0,5)": ((0, 5),), "(4,2)": ((4, 2),), "both": ((0, 5), (4, 2))}
"""Where the object that is not the instruction is added to the first frame."""
EXCHANGED = {"first": ((1, 2), (5, 2)), "last": ((1, 6), (5, 6))}
"""Where each frame shows the targets."""
COEFFICIENTS = (-2.0, -1.0, 0.0, 1.0, 2.0)
SITE = "blocks.0.hook_resid_pre"


@dataclass(frozen=True)
class PublishedExperiments:
    """Logit differences at the decision points, untouched and under each experiment's edits."""

    names: tuple[str, ...]
    """such as `Key,Key-Ball`: the instruction, the left and the right target"""
    original: Float32[Tensor, " window"]
    flipped: Float32[Tensor, " window"]
    """the first frame shows the other instruction"""
    decoyed: Float32[Tensor, "decoy window"]
    """the first frame also shows the other instruction's object, at the cells of `DECOYS`"""
    exchanged: Float32[Tensor, "frame window"]
    """the targets change places in the first frame, or in the last"""
    direction: FoundDirections
    """the first component of key and ball at `INSTRUCTION_CELLS`, keys positive"""
    component_set: Float32[Tensor, "window coefficient"]
    """the first frame's component along the direction set to each of `COEFFICIENTS`, in activation units"""
    projection: Float32[Tensor, "edit window"]
    """what the first frame's token, its time included, holds along the direction: untouched, then with both decoys"""

    @property
    def restored(self) -> Float32[Tensor, "decoy window"]:
        """(LD_decoyed − LD_original) / (LD_flipped − LD_original): 1 where decoys act as the flipped instruction."""
        return (self.decoyed - self.original) / (self.flipped - self.original)


def run_published(subject: Subject, *, asked: Asked = "attainable", scaled: bool = True) -> PublishedExperiments:
    """Run all of them; with `scaled`, item embeddings have length 1, as in the published recipe.

    Raises `UserError` for a model that reads no one-hot frames, or a world without decision points.
    """
    plain = DecisionPoints(asked=asked)
    chosen = plain.choose(subject, seed=0)
    both = _with(subject, plain, DECOYS["both"], "complement", "first")
    items = items_at(THINGS, INSTRUCTION_CELLS)
    direction = ComponentDirection(items=items, scaled=scaled).find(Material(subject, SITE, chosen))
    decoyed = [_with(subject, plain, cells, "complement", "first") for cells in DECOYS.values()]
    exchanged = [_with(subject, plain, cells, "opposite", frame) for frame, cells in EXCHANGED.items()]
    f = direction.vectors[0]
    return PublishedExperiments(
        names=chosen.names,
        original=turn(subject.model, chosen),
        flipped=turn(subject.model, _with(subject, plain, (INSTRUCTION,), "complement", "first")),
        decoyed=torch.stack([turn(subject.model, each) for each in decoyed]),
        exchanged=torch.stack([turn(subject.model, each) for each in exchanged]),
        direction=direction,
        component_set=torch.stack([turn(subject.model, chosen, _set(f, c)) for c in COEFFICIENTS], dim=1),
        projection=torch.stack([_first_token(subject.model, each) @ f for each in (chosen, both)]),
    )


@torch.no_grad()
def turn(
    model: DecisionTransformer, chosen: ChosenWindows, interventions: Sequence[Intervention] = ()
) -> Float32[Tensor, " window"]:
    """Return logit(left) − logit(right) at each window's end."""
    last = intervene(model, chosen.windows, chosen.items, interventions)[:, -1]
    return last[:, ACTIONS.index("left")] - last[:, ACTIONS.index("right")]


def _set(direction: Float32[Tensor, " d_model"], coefficient: float) -> list[Intervention]:
    return [Intervention(SITE, first_frame, Setting(along(direction, OBSERVATION_EMBEDDING), coefficient))]


def _with(
    subject: Subject, plain: DecisionPoints, cells: Sequence[tuple[int, int]], put: str, frame: str
) -> ChosenWindows:
    edits = tuple(FrameEdit.model_validate({"put": put, "to": cell, "frame": frame}) for cell in cells)
    return plain.model_copy(update={"edited": edits}).choose(subject, seed=0)


def _first_token(model: DecisionTransformer, chosen: ChosenWindows) -> Float32[Tensor, "window d_model"]:
    """Return the first frame's embedding with its time, before anything else is added."""
    slot = first_frame(chosen.windows).int().argmax(dim=1)
    rows = chosen.items[chosen.windows.frame_id[torch.arange(len(slot)), slot]] @ model.W_obs.detach()
    return (rows if model.W_time is None else rows + model.W_time.detach()[0]).float()
