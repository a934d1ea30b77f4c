import pytest
import torch

from dtinterp.demonstrations.frame_table import ABSENT, FrameTable
from dtinterp.foundation.errors import UserError


def frames_of(*corners: int) -> torch.Tensor:
    frames = torch.zeros(len(corners), 3, 3, 3, dtype=torch.uint8)
    frames[:, 0, 0, 0] = torch.tensor(corners)
    return frames


def test_frames_are_found_by_what_they_show():
    table = FrameTable(frames_of(5, 1, 4))
    assert table.rows_of(frames_of(4, 5, 4)).tolist() == [2, 0, 2]
    assert table.rows_of(table.frames).tolist() == [0, 1, 2]


def test_a_frame_that_is_not_there_is_absent_or_named():
    table = FrameTable(frames_of(5, 1), "this world")
    assert table.find(frames_of(1, 9)).tolist() == [1, ABSENT]
    with pytest.raises(UserError, match="frame 1 is never shown by this world: give frames of that world"):
        table.rows_of(frames_of(1, 9, 8))
