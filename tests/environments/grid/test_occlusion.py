"""What is seen behind what, against MiniGrid's own sweep over a grid of walls."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from minigrid.core.grid import Grid
from minigrid.core.world_object import Wall

from environments.grid.occlusion import PITCH, see_swept, see_tabulated


def _minigrids(opaque: np.ndarray) -> np.ndarray:
    view = len(opaque)
    grid = Grid(view, view)
    for x, y in np.argwhere(opaque):
        grid.set(int(x), int(y), Wall())
    return grid.process_vis((view // 2, view - 1))


def _tabulated(opaque: np.ndarray) -> np.ndarray:
    view = opaque.shape[-1]
    slots = torch.ones(len(opaque), view, PITCH, dtype=torch.bool)
    slots[:, :, :view] = torch.tensor(opaque)
    seen = see_tabulated(slots.flatten(1), view).unflatten(1, (view, PITCH))
    assert not seen[:, :, view:].any()
    return seen[:, :, :view].numpy()


@pytest.mark.parametrize("view", [3, 5, 7])
@pytest.mark.parametrize("density", [0.05, 0.2, 0.5, 0.8])
def test_looking_rows_up_sees_what_minigrid_sees(view: int, density: float) -> None:
    opaque = np.random.default_rng(view).random((60, view, view)) < density
    expected = np.stack([_minigrids(cells) for cells in opaque])
    assert np.array_equal(_tabulated(opaque), expected)


@pytest.mark.parametrize("view", [3, 7, 9, 11])
def test_sweeping_sees_what_minigrid_sees(view: int) -> None:
    opaque = np.random.default_rng(view).random((30, view, view)) < 0.25
    expected = np.stack([_minigrids(cells) for cells in opaque])
    assert np.array_equal(see_swept(torch.tensor(opaque)).numpy(), expected)


@given(bits=st.lists(st.integers(0, 2**49 - 1), min_size=1, max_size=20))
@settings(derandomize=True, deadline=None)
def test_both_ways_agree_on_any_view(bits: list[int]) -> None:
    opaque = np.array([[(number >> cell) & 1 for cell in range(49)] for number in bits], dtype=bool).reshape(-1, 7, 7)
    assert np.array_equal(_tabulated(opaque), see_swept(torch.tensor(opaque)).numpy())


def test_every_row_of_a_view_of_three_is_right() -> None:
    opaque = np.array([[(number >> cell) & 1 for cell in range(9)] for number in range(512)], dtype=bool).reshape(
        -1, 3, 3
    )
    assert np.array_equal(_tabulated(opaque), np.stack([_minigrids(cells) for cells in opaque]))


def test_nothing_is_hidden_in_the_open_and_all_but_the_own_cell_behind_a_wall_of_itself() -> None:
    assert _tabulated(np.zeros((1, 7, 7), dtype=bool)).all()
    own_wall = np.zeros((1, 7, 7), dtype=bool)
    own_wall[0, 3, 6] = True
    assert _tabulated(own_wall).sum() == 1
