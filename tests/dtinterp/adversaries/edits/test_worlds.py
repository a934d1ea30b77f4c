import torch

from dtinterp.adversaries.edits.worlds import things_of, world_edits
from environments.grid.observation import observe
from environments.twin.dynamics import step
from environments.twin.editing import Place, all_edited, edited


def test_all_frames_show_the_edited_world(view):
    """Replayed by hand, an edit at a time."""
    found = [edit.frames for edit in world_edits(view)]
    assert len(found) == 40
    start = view.states[torch.tensor([0])]
    edits, _ = all_edited(start, view.spec, things=things_of(view))
    for edit in edits[::4]:
        state = edited(start, edit, view.spec)
        frames = [observe(state, view.spec)[0]]
        for action in view.actions:
            state, _ = step(state, action[None], view.spec)
            frames.append(observe(state, view.spec)[0])
        follows = bool((state.position == view.states.position[-1]).all())
        is_seen = not torch.equal(torch.stack(frames), view.frames)
        assert any(torch.equal(torch.stack(frames), each) for each in found) == (follows and is_seen)


def test_what_blocks_the_way_is_no_edit_of_the_window(view):
    edits, _ = all_edited(view.states[torch.tensor([0])], view.spec, things=things_of(view))
    assert any(isinstance(edit, Place) and (edit.x, edit.y) == (2, 3) for edit in edits)
    assert not any("(3,5)" in edit.words for edit in world_edits(view))


def test_edits_are_said_in_words(view):
    words = [edit.words for edit in world_edits(view)]
    assert "replace: green ball for green key at (2,6), in the world" in words
    assert "place: green ball for empty at (4,2), in the world" in words
    assert len(set(words)) == len(words)


def test_an_edit_begins_with_the_first_frame_that_shows_it(view):
    for edit in world_edits(view):
        assert torch.equal(edit.frames[: edit.first], view.frames[: edit.first])
        assert not torch.equal(edit.frames[edit.first], view.frames[edit.first])
