import torch

from dtinterp.adversaries.edits.observation_edit import ObservationEdit, table_of


def test_what_changes_nothing_or_comes_twice_is_left_out(view):
    frames = view.frames.clone()
    frames[1, 3, 3, 0] = 5
    twice = [ObservationEdit(words, frames, 1, is_of_world=words == "world") for words in ("frame", "world")]
    table = table_of(view.frames, [*twice, ObservationEdit("nothing", view.frames, 0, is_of_world=True)])
    assert [edit.words for edit in table.edits] == ["world"]
    assert table.is_changed.sum() == 1


def test_edits_of_the_world_are_among_those_of_frames(tables):
    world, frame = tables["world"], tables["frame"]
    assert {edit.words for edit in world.edits} < {edit.words for edit in frame.edits}
    assert sum(edit.is_of_world for edit in frame.edits) == len(world)


def test_sets_of_edits_are_made_one_after_the_other(view, tables):
    table = tables["frame"]
    sets = torch.randint(len(table), (40, 3), generator=torch.Generator().manual_seed(0))
    sets = sets[table.are_apart(sets)]
    assert len(sets) > 10
    for row, found in zip(sets.tolist(), table.edited(sets), strict=True):
        frames = view.frames.clone()
        for edit in row:
            is_changed = table.frames[edit] != view.frames
            frames[is_changed] = table.frames[edit][is_changed]
        assert torch.equal(found, frames)


def test_no_edit_is_apart_from_what_changes_one_of_its_cells(view, tables):
    table = tables["world"]
    both = torch.combinations(torch.arange(len(table)), 2)
    for (left, right), apart in zip(both.tolist(), table.are_apart(both).tolist(), strict=True):
        shared = (table.frames[left] != view.frames).any(-1) & (table.frames[right] != view.frames).any(-1)
        assert apart == (not shared.any())
    assert not table.are_apart(torch.tensor([[3, 3]]))
    assert table.are_apart(torch.tensor([[3, -1], [-1, -1]])).all()


def test_every_source_has_edits(tables):
    assert {name: len(table) for name, table in tables.items()} == {"world": 40, "frame": 170, "item": 980}
