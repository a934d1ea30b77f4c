import torch

from dtinterp.adversaries.edits.items import item_edits
from dtinterp.interventions.instruction_flip.scenarios import place


def test_each_object_stands_in_each_cell_of_each_frame(view):
    found = item_edits(view)
    assert len(found) == 5 * 49 * 5
    one = next(edit for edit in found if edit.words == "show ball at (0,5) of frame 0")
    assert torch.equal(one.frames[0], place(view.frames[0], (0, 5), "ball"))
    assert torch.equal(one.frames[1:], view.frames[1:])
