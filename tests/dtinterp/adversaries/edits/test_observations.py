import torch

from dtinterp.adversaries.edits.observations import frame_edits
from environments.vocabulary import CHANNELS


def test_an_edit_changes_one_frame(view):
    for edit in frame_edits(view):
        changed = (edit.frames != view.frames).flatten(1).any(1)
        assert changed.nonzero()[:, 0].tolist() in ([], [edit.first])


def test_targets_stay_keys_or_balls_and_walls_stay(view):
    """Which the world's own rules say."""
    target = {CHANNELS[0].index(name) for name in ("key", "ball")}
    for edit in frame_edits(view):
        assert {int(edit.frames[4, 1, 6, 0]), int(edit.frames[4, 5, 6, 0])} <= target
        wall = view.frames[..., 0] == CHANNELS[0].index("wall")
        assert torch.equal(edit.frames[wall], view.frames[wall])
