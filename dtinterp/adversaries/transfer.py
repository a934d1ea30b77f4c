"""Whether adversaries of one model flip others, and the same one asked other returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.nn.functional import pad

from dtinterp.adversaries.edited_window import EditedWindow
from dtinterp.adversaries.edits.observation_edit import ObservationEdit, table_of
from dtinterp.adversaries.objectives.objective import Objective
from dtinterp.adversaries.scene import Scene
from dtinterp.dataset.windows import padded
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class Transfer:
    """An adversary of one model, shown to a model asked for a return."""

    edits: tuple[str, ...]
    model: str
    target_return: float
    original: float
    """the objective's value in that model without the edits, above 0"""
    edited: float
    """with them; below 0 where they flip it"""

    @property
    def flips(self) -> bool:
        """Whether the objective is flipped there too."""
        return self.edited < 0


Shown = tuple[tuple[str, ...], UInt8[Tensor, "real view view 3"]]
"""Edits in words, and the window with them."""


@torch.no_grad()
def transfers(
    scene: Scene,
    adversaries: Sequence[Shown],
    objective: Objective,
    models: Mapping[str, DecisionTransformer],
    returns: Sequence[float],
) -> tuple[Transfer, ...]:
    """Show adversaries of a window to models, each asked every one of these returns at every step of the window.

    What is flipped is the sign that each model's own value has without the edits.
    """
    edits = [
        ObservationEdit(" ".join(words), frames, _first(scene, frames), is_of_world=False)
        for words, frames in adversaries
    ]
    found = []
    for name, model in models.items():
        for asked in returns:
            window = EditedWindow(model, asked_for(scene, asked, n_slots=model.cfg.n_slots))
            nothing = torch.zeros(1, scene.n_real, model.cfg.d_model)
            original = float(objective.values(window, nothing, torch.zeros(1, dtype=torch.int64)))
            for (words, _), edit in zip(adversaries, edits, strict=True):
                table = table_of(scene.frames, [edit])
                edited = float(objective.values(window, window.differences(table), table.first))
                found.append(Transfer(words, name, asked, original, edited))
    return tuple(found)


def asked_for(scene: Scene, target_return: float, *, n_slots: int) -> Scene:
    """Return the same frames in a window of so many slots, with another return asked for at every step.

    Raises `UserError` where the frames are more than the slots.
    """
    window, n_pads = scene.window, n_slots - scene.n_real
    if n_pads < 0:
        raise UserError(
            f"the window {scene.name!r} has {scene.n_real} frames, a model to transfer to sees {n_slots}: leave it out."
        )

    def placed(column: Int64[Tensor, "1 slot"]) -> Int64[Tensor, "1 fitted"]:
        return pad(column[:, scene.first_slot :], (n_pads, 0))

    fitted = padded(
        placed(window.mask.long()).bool(),
        rtg=target_return,
        frame_id=placed(window.frame_id),
        action=placed(window.action),
        time=placed(window.time),
    )
    return replace(scene, window=fitted)


def _first(scene: Scene, frames: UInt8[Tensor, "real view view 3"]) -> int:
    return int((frames != scene.frames).flatten(1).any(1).int().argmax())
