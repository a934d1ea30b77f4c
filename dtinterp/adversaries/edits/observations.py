"""Legal edits of a single frame: as if the world had been edited for just the moment that it was seen."""

from collections.abc import Sequence

import torch

from dtinterp.adversaries.edits.observation_edit import ObservationEdit
from dtinterp.adversaries.edits.worlds import in_words, things_of
from dtinterp.adversaries.scene import Scene
from environments.grid.observation import observe
from environments.twin.editing import all_edited


def frame_edits(scene: Scene) -> Sequence[ObservationEdit]:
    """Return the legal single edits of the world as it was at each frame, seen in that frame alone."""
    things, found = things_of(scene), []
    for slot in range(scene.n_real):
        state = scene.states[torch.tensor([slot])]
        edits, after = all_edited(state, scene.spec, things=things)
        for edit, seen in zip(edits, observe(after, scene.spec), strict=True):
            frames = scene.frames.clone()
            frames[slot] = seen
            words = in_words(edit, scene.frames[slot], frames[slot], f"in frame {slot} alone")
            found.append(ObservationEdit(words, frames, slot, is_of_world=False))
    return found
