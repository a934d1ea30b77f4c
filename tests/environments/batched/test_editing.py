"""Single changes to a world: what they change, which are legal, and pictures turned back into states."""

import numpy as np
import pytest
import torch

from environments.batched.cells import THING_OF_CODE, Thing, codes_of
from environments.batched.editing import Edit, Move, Place, Recolour, Remove, each_edit, edited, state_of_image
from environments.batched.layouts import Layouts, draw_layouts
from environments.batched.sight import overview
from environments.batched.state import State

KEY = Thing("key", "blue")


@pytest.fixture(scope="module")
def memory() -> Layouts:
    return draw_layouts("MiniGrid-MemoryS7FixedStart-v0", [0])


def _thing(layouts: Layouts, state: State, x: int, y: int) -> Thing:
    return THING_OF_CODE[int(codes_of(state.grid[0, layouts.setting.cell(x, y)]))]


def test_each_kind_of_edit_changes_what_it_says_and_nothing_else(memory: Layouts) -> None:
    instruction = _thing(memory, memory.start, 1, 2)
    expected: list[tuple[Edit, dict[tuple[int, int], Thing]]] = [
        (Place(2, 3, KEY), {(2, 3): KEY}),
        (Remove(1, 2), {(1, 2): Thing("empty")}),
        (Move(1, 2, 2, 2), {(1, 2): Thing("empty"), (2, 2): instruction}),
        (Recolour(1, 2, "red"), {(1, 2): Thing(instruction.kind, "red")}),
    ]
    for edit, changes in expected:
        after = edited(memory.start, edit, memory.setting)
        for cell in range(memory.setting.n_cells):
            x, y = memory.setting.place(cell)
            assert _thing(memory, after, x, y) == changes.get((x, y), _thing(memory, memory.start, x, y))


def test_an_edit_leaves_the_original_alone(memory: Layouts) -> None:
    before = memory.start.clone()
    edited(memory.start, Remove(1, 2), memory.setting)
    assert torch.equal(before.grid, memory.start.grid)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (Place(1, 2, KEY), r"cell \(1, 2\) holds a (key|ball); choose an empty one"),
        (Place(1, 3, KEY), r"cell \(1, 3\) holds the agent"),
        (Place(9, 9, KEY), r"There is no cell \(9, 9\) in a grid of 7 by 7"),
        (Remove(2, 2), r"cell \(2, 2\) holds an empty that cannot be edited"),
        (Remove(0, 0), r"cell \(0, 0\) holds a wall that cannot be edited"),
        (Move(1, 2, 0, 0), r"cell \(0, 0\) holds a wall; choose an empty one"),
        (Recolour(1, 3, "red"), r"since the agent stands on it"),
        (Recolour(1, 2, "orange"), r"has no code"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(edit: Edit, complaint: str, memory: Layouts) -> None:
    with pytest.raises(ValueError, match=complaint):
        edited(memory.start, edit, memory.setting)


@pytest.mark.parametrize(
    "env_id", ["MiniGrid-MemoryS7FixedStart-v0", "MiniGrid-DoorKey-5x5-v0", "MiniGrid-LavaGapS5-v0"]
)
def test_every_listed_edit_can_be_made_and_leads_elsewhere(env_id: str) -> None:
    layouts = draw_layouts(env_id, [2])
    edits = list(each_edit(layouts.start, layouts.setting, things=(KEY,)))
    results = {edited(layouts.start, edit, layouts.setting).grid.numpy().tobytes() for edit in edits}
    assert len(results) == len(edits) > 20
    assert layouts.start.grid.numpy().tobytes() not in results


def test_a_picture_from_above_is_turned_back_into_its_state() -> None:
    layouts = draw_layouts("MiniGrid-DoorKey-8x8-v0", range(5))
    pictures = overview(layouts.start, layouts.setting)
    for world, picture in enumerate(pictures):
        state = state_of_image(picture, layouts.setting)
        assert torch.equal(state.grid[0], layouts.start.grid[world])
        assert int(state.position) == int(layouts.start.position[world])
        assert int(state.direction) == int(layouts.start.direction[world])


@pytest.mark.parametrize(
    ("x", "value", "complaint"),
    [
        (2, (10, 0, 0), r"has 2 agents"),
        (2, (13, 0, 0), r"holds \(13, 0, 0\), which is nothing"),
        (2, (5, 9, 0), r"holds \(5, 9"),
    ],
)
def test_a_picture_of_no_world_is_refused(x: int, value: tuple[int, int, int], complaint: str) -> None:
    layouts = draw_layouts("MiniGrid-Empty-5x5-v0", [0])
    picture = overview(layouts.start, layouts.setting)[0]
    picture[x, 2] = torch.tensor(value, dtype=torch.uint8)
    with pytest.raises(ValueError, match=complaint):
        state_of_image(picture, layouts.setting)


def test_a_picture_of_another_size_is_refused(memory: Layouts) -> None:
    picture = torch.tensor(np.zeros((5, 5, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"shape \(5, 5, 3\); MiniGrid-MemoryS7FixedStart-v0 is 7 by 7"):
        state_of_image(picture, memory.setting)
