"""Edits of the world itself before a window begins: every frame that has the cell in view shows them."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from dtinterp.adversaries.edits.observation_edit import ObservationEdit
from dtinterp.adversaries.scene import Scene
from environments.grid.cells import THING_OF_CODE, Thing, codes_of
from environments.grid.observation import observe
from environments.grid.state import State
from environments.twin.dynamics import step
from environments.twin.editing import Edit, all_edited
from environments.vocabulary import CHANNELS


def world_edits(scene: Scene) -> Sequence[ObservationEdit]:
    """Return the legal single edits of the world at the window's first frame after which its actions lead the same way.

    An edit after which the agent would stand elsewhere, or face otherwise, or its episode end, is none of the window.
    """
    edits, after = all_edited(scene.states[torch.tensor([0])], scene.spec, things=things_of(scene))
    windows, follows = _replayed(scene, after)
    found = []
    for row in (follows & (windows != scene.frames).flatten(1).any(1)).nonzero()[:, 0].tolist():
        frames = windows[row]
        first = int((frames != scene.frames).flatten(1).any(1).int().argmax())
        words = in_words(edits[row], scene.frames[first], frames[first], "in the world")
        found.append(ObservationEdit(words, frames, first, is_of_world=True))
    return found


def things_of(scene: Scene) -> tuple[Thing, ...]:
    """Return what can be carried and lies in this world."""
    lying = (THING_OF_CODE[code] for code in codes_of(scene.states.grid).unique().tolist())
    return tuple(thing for thing in lying if thing.can_be_carried)


def in_words(edit: Edit, before: UInt8[Tensor, "view view 3"], after: UInt8[Tensor, "view view 3"], where: str) -> str:
    """Say what an edit does to a frame, cells as the frame has them, such as `place green ball at (4,2)`."""
    cells = (before != after).any(-1).nonzero().tolist()
    shown = " and ".join(f"{_name(after[x, y])} for {_name(before[x, y])} at ({x},{y})" for x, y in cells)
    return f"{type(edit).__name__.lower()}: {shown}, {where}"


def _name(cell: UInt8[Tensor, " 3"]) -> str:
    kind, colour = CHANNELS[0][int(cell[0])], CHANNELS[1][int(cell[1])]
    return kind if kind in ("empty", "unseen") else f"{colour} {kind}"


def _replayed(scene: Scene, state: State) -> tuple[UInt8[Tensor, "world real view view 3"], Bool[Tensor, " world"]]:
    """Return what is shown from states on under the window's actions, and where these lead as they do in the window."""
    frames, follows = [observe(state, scene.spec)], torch.ones(len(state), dtype=torch.bool)
    state = state.clone()
    for slot, action in enumerate(scene.actions, start=1):
        state, result = step(state, action.expand(len(state)), scene.spec)
        same_pose = (state.position == scene.states.position[slot]) & (state.direction == scene.states.direction[slot])
        follows &= same_pose & ~result.ended
        frames.append(observe(state, scene.spec))
    return torch.stack(frames, dim=1), follows
