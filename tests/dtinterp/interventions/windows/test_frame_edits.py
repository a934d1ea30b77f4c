import pytest
import torch
from pydantic import ValidationError

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.windows.frame_edits import FrameEdit, place
from environments.vocabulary import CHANNELS

FIRST = 5
KEY, BALL, EMPTY = (CHANNELS[0].index(name) for name in ("key", "ball", "empty"))


def test_a_flipped_instruction_is_the_other_configuration_exactly(choose):
    """The law that LD(flipped | Key,X) = LD(original | Ball,X) rests on."""
    flipped, plain = (
        choose("decision_points", edited=[{"put": "complement", "to": [2, 6]}]),
        choose("decision_points"),
    )
    assert torch.equal(flipped.windows.frame_id, plain.windows.frame_id[[3, 2, 1, 0]])
    assert torch.equal(flipped.frames, plain.frames)


def test_what_is_put_changes_its_cell_in_the_frames_that_are_named_and_nothing_else(choose):
    plain = choose("decision_points")
    for frame, slots in (("first", [5]), ("last", [9]), ("all", [5, 6, 7, 8, 9]), (2, [7])):
        chosen = choose("decision_points", edited=[{"put": "lava", "colour": "red", "to": [3, 0], "frame": frame}])
        changed = (chosen.shown != plain.shown).nonzero()
        assert {*changed[:, 1].tolist()} == {*slots}
        assert {tuple(row) for row in changed[:, 2:4].tolist()} == {(3, 0)}


def test_what_is_moved_leaves_an_empty_cell(choose):
    plain, moved = choose("decision_points"), choose("decision_points", edited=[{"move": [2, 6], "to": [3, 5]}])
    before, after = plain.shown[:, FIRST], moved.shown[:, FIRST]
    assert torch.equal(after[:, 3, 5], before[:, 2, 6])
    assert after[:, 2, 6].tolist() == [[EMPTY, 0, 0]] * 4
    assert before[:, 2, 6, 0].tolist() == [KEY, KEY, BALL, BALL]


def test_the_opposite_of_a_cell_is_put_there(choose):
    exchange = [{"put": "opposite", "to": [x, 6], "frame": "last"} for x in (1, 5)]
    plain, turned = choose("decision_points"), choose("decision_points", edited=exchange)
    for x in (1, 5):
        assert (turned.shown[:, -1, x, 6, 0] == KEY + BALL - plain.shown[:, -1, x, 6, 0]).all()
    with pytest.raises(UserError, match="`opposite` needs a cell that shows a key or a ball, here it is unseen"):
        choose("decision_points", edited=[{"put": "opposite", "to": [0, 0], "frame": "last"}])


def test_edits_follow_each_other_in_order(choose):
    chosen = choose(
        "decision_points", edited=[{"put": "box", "to": [0, 0]}, {"put": "ball", "to": [0, 1], "frame": "last"}]
    )
    assert (chosen.shown[:, FIRST, 0, 0, 0] == CHANNELS[0].index("box")).all()
    assert (chosen.shown[:, -1, 0, 1, 0] == BALL).all()


@pytest.mark.parametrize(
    "edit",
    [
        {"put": "key", "to": [7, 0]},
        {"put": "key", "to": [0, -1]},
        {"put": "lamp", "to": [0, 0]},
        {"put": "key", "colour": "beige", "to": [0, 0]},
        {"put": "key", "move": [1, 1], "to": [0, 0]},
        {"to": [0, 0]},
        {"move": [1, 1], "colour": "red", "to": [0, 0]},
        {"put": "key", "to": [0, 0], "frames": "last"},
    ],
)
def test_edits_off_the_grid_or_without_one_meaning_are_refused(edit):
    with pytest.raises(ValidationError):
        FrameEdit.model_validate(edit)


def test_contradictory_edits_are_refused(choose):
    edits = [{"put": "key", "to": [2, 2]}, {"put": "ball", "to": [2, 2]}]
    with pytest.raises(UserError, match=r"two edits write the cell \(2,2\) of frame first"):
        choose("decision_points", edited=edits)


def test_a_frame_that_a_window_lacks_is_refused(choose):
    with pytest.raises(UserError, match="the window Key,Key-Ball has no frame 9: it shows times 0 to 4"):
        choose("decision_points", edited=[{"put": "key", "to": [2, 2], "frame": 9}])


def test_a_cell_outside_the_view_and_an_unknown_object_are_refused(graph):
    frame = torch.tensor(graph.frames[0])
    with pytest.raises(UserError, match=r"the cell is \(7, 0\), expected x and y from 0 to 6"):
        place(frame, (7, 0), "key")
    with pytest.raises(UserError, match="the object is 'lamp', expected one of unseen, empty"):
        place(frame, (0, 0), "lamp")
