import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.windows.chosen import interned


def test_a_table_keeps_its_numbers_and_takes_new_frames_behind_it_once():
    table = torch.arange(3, dtype=torch.uint8)[:, None, None, None].expand(3, 7, 7, 3).contiguous()
    new = torch.full((1, 7, 7, 3), 9, dtype=torch.uint8)
    frames, rows = interned(table, torch.cat([table[[2]], new, table[[0]], new]))
    assert rows.tolist() == [2, 3, 0, 3]
    assert torch.equal(frames[:3], table)
    assert len(frames) == 4
    assert interned(table, table[[1]])[0] is table


def test_the_same_windows_over_another_table_show_the_same(choose):
    chosen = choose("decision_points")
    moved = chosen.over(chosen.frames[:1])
    assert len(moved.frames) < len(chosen.frames)
    mask = chosen.windows.mask
    assert torch.equal(moved.shown[mask], chosen.shown[mask])


def test_a_choice_of_no_windows_is_refused(choose):
    chosen = choose("decision_points")
    assert chosen.only(chosen.fact("instruction") == 1).names == ("Ball,Ball-Key", "Ball,Key-Ball")
    with pytest.raises(UserError, match="no window is left"):
        chosen.only(torch.zeros(4, dtype=torch.bool))


def test_a_fact_that_nobody_recorded_is_refused(choose):
    with pytest.raises(UserError, match="the fact is 'colour', expected one of instruction, top_target"):
        choose("decision_points").fact("colour")
