"""Which states MiniGrid could be in, and what is said of those that it could not."""

from dataclasses import replace

import pytest
import torch

from environments.batched.cells import Thing, cell_of_code, code_of
from environments.batched.dynamics import step
from environments.batched.families import TWIN_IDS
from environments.batched.layouts import draw_layouts
from environments.batched.legality import require_legal

CPU = torch.device("cpu")
PUT_NEAR = draw_layouts("MiniGrid-PutNear-6x6-N2-v0", [0])


@pytest.mark.parametrize("env_id", TWIN_IDS[::3])
@pytest.mark.filterwarnings("ignore:.*out of date")
def test_layouts_of_minigrid_and_what_follows_from_them_are_legal(env_id: str) -> None:
    layouts = draw_layouts(env_id, [0])
    state = layouts.start.clone()
    for action in (2, 3, 1, 2, 4):
        require_legal(state, layouts.setting)
        state, verdict = step(state, torch.tensor([action]), layouts.setting)
        if verdict.ended.item():
            break


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("position", [36], r"The agent is in cell 36; the cells are 0 to 35"),
        ("position", [0], r"stands at \(0, 0\) on a wall"),
        ("direction", [4], r"direction is 4; directions are 0 to 3"),
        ("time", [31], r"The time is 31; it runs from 0 to 30"),
        ("parameters", [[code_of(Thing("key", "red")), 99]], r"Parameter 1 of PutNear is 99; it is a cell, 0 to 35"),
        ("parameters", [[0, 8]], r"Parameter 0 of PutNear is 0; it is the code of a thing to carry"),
    ],
)
def test_an_impossible_state_is_named(field: str, value: list, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        require_legal(replace(PUT_NEAR.start, **{field: torch.tensor(value)}), PUT_NEAR.setting)


def test_hands_hold_only_what_can_be_carried() -> None:
    hand = torch.tensor([code_of(Thing("goal", "green"))], dtype=torch.int32)
    with pytest.raises(ValueError, match=r"carries Thing\(kind='goal'.*which cannot be carried"):
        require_legal(replace(PUT_NEAR.start, hand=hand), PUT_NEAR.setting)


def test_a_cell_must_hold_something_known() -> None:
    grid = PUT_NEAR.start.grid.clone()
    grid[0, 7] = 12345
    with pytest.raises(ValueError, match=r"Cell \(1, 1\) holds 12345, which is nothing that MiniGrid has"):
        require_legal(replace(PUT_NEAR.start, grid=grid), PUT_NEAR.setting)


def test_a_grid_of_another_size_is_named() -> None:
    with pytest.raises(ValueError, match=r"has 30 cells; MiniGrid-PutNear-6x6-N2-v0 has 6 by 6"):
        require_legal(replace(PUT_NEAR.start, grid=PUT_NEAR.start.grid[:, 6:].contiguous()[:, :31]), PUT_NEAR.setting)


def test_a_gap_in_the_outer_wall_is_found() -> None:
    grid = PUT_NEAR.start.grid.clone()
    grid[0, 3] = cell_of_code(CPU)[0]
    with pytest.raises(ValueError, match=r"could walk out of the grid"):
        require_legal(replace(PUT_NEAR.start, grid=grid), PUT_NEAR.setting)


def test_a_door_in_the_outer_wall_is_a_way_out_unless_toggling_ends_the_episode() -> None:
    outside = draw_layouts("MiniGrid-GoToDoor-5x5-v0", [0])
    require_legal(outside.start, outside.setting)
    with pytest.raises(ValueError, match=r"could walk out"):
        require_legal(
            outside.start, replace(outside.setting, rule=draw_layouts("MiniGrid-Empty-5x5-v0", [0]).setting.rule)
        )
