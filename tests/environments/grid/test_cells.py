"""Codes of what can lie in a cell, against MiniGrid's own objects."""

import pytest
import torch
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX
from minigrid.core.world_object import Ball, Box, Door, Floor, Goal, Key, Lava, Wall, WorldObj

from environments.grid.cells import (
    EMPTY,
    FIRST_OPAQUE,
    N_CODES,
    THING_OF_CODE,
    Thing,
    cell_of_code,
    code_of,
    codes_of,
    thing_of,
)

CPU = torch.device("cpu")


def _objects() -> list[WorldObj]:
    objects: list[WorldObj] = [Lava()]
    for colour in COLOR_TO_IDX:
        objects += [Wall(colour), Floor(colour), Goal(colour), Key(colour), Ball(colour), Box(colour)]
        objects += [Box(colour, Key("red")), Box(colour, Ball("blue"))]
        objects += [Door(colour), Door(colour, is_open=True), Door(colour, is_locked=True)]
    return objects


@pytest.mark.parametrize("made", _objects(), ids=lambda made: "-".join(map(str, made.encode())))
def test_a_thing_behaves_as_minigrids_object_says(made: WorldObj) -> None:
    thing = thing_of(made)
    assert thing.channels == made.encode()
    assert thing.can_be_entered == made.can_overlap()
    assert thing.can_be_carried == made.can_pickup()
    assert thing.is_opaque == (not made.see_behind())
    assert THING_OF_CODE[code_of(thing)] == thing


def test_code_zero_is_nothing() -> None:
    assert code_of(EMPTY) == code_of(thing_of(None)) == 0
    assert cell_of_code(CPU)[0] == OBJECT_TO_IDX["empty"]


def test_codes_are_different_and_fit_into_a_byte() -> None:
    assert len(set(THING_OF_CODE.values())) == len(THING_OF_CODE)
    assert max(THING_OF_CODE) < N_CODES


def test_only_opaque_cells_are_negative() -> None:
    for code, thing in THING_OF_CODE.items():
        assert (int(cell_of_code(CPU)[code]) < 0) == thing.is_opaque == (code >= FIRST_OPAQUE)


def test_a_cell_gives_its_code_and_its_channels_back() -> None:
    codes = torch.tensor(sorted(THING_OF_CODE))
    cells = cell_of_code(CPU)[codes]
    assert torch.equal(codes_of(cells).long(), codes)
    channels = cells[:, None].view(torch.uint8)[:, :3].tolist()
    assert [tuple(row) for row in channels] == [THING_OF_CODE[int(code)].channels for code in codes]


def test_a_box_in_a_box_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has no code; a cell holds what MiniGrid has"):
        code_of(Thing("box", "red", contents=Thing("box", "red")))


def test_open_is_what_minigrid_writes_for_everything_without_a_state() -> None:
    assert STATE_TO_IDX["open"] == 0
