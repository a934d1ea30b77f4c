"""Any object in any cell of one frame, whatever a world allows: the edits of the published experiments."""

from collections.abc import Sequence

from dtinterp.adversaries.edits.observation_edit import ObservationEdit
from dtinterp.adversaries.scene import Scene
from environments.vocabulary import CHANNELS


def item_edits(scene: Scene) -> Sequence[ObservationEdit]:
    """Return each object that the world shows, in each cell of each frame; colour and state stay as they were."""
    objects = scene.shown[..., 0].unique().tolist()
    found = []
    for slot, frame in enumerate(scene.frames):
        for x in range(frame.shape[0]):
            for y in range(frame.shape[1]):
                for kind in objects:
                    frames = scene.frames.clone()
                    frames[slot, x, y, 0] = kind
                    words = f"show {CHANNELS[0][kind]} at ({x},{y}) of frame {slot}"
                    found.append(ObservationEdit(words, frames, slot, is_of_world=False))
    return found
