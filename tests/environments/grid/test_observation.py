"""Pictures of states: MiniGrid's wrappers, hidden contents, and rotations."""

import numpy as np
import pytest
import torch
from minigrid.wrappers import FullyObsWrapper

from environments.grid.cells import Thing, cell_of_code, code_of
from environments.grid.observation import cells_in_view, frames_of, look, observe, overview, pitch_of
from environments.registration import make
from environments.twin.layouts import draw_layouts, spec_of, state_of
from environments.vocabulary import decode, one_hot

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "env_id", ["MiniGrid-DoorKey-8x8-v0", "MiniGrid-LockedRoom-v0", "MiniGrid-RedBlueDoors-6x6-v0"]
)
def test_the_overview_is_minigrids_fully_observable_picture(env_id: str) -> None:
    env = make(env_id)
    wrapped = FullyObsWrapper(env)
    for seed in range(3):
        observation, _ = wrapped.reset(seed=seed)
        for action in (0, 2, 2, 3, 1, 2):
            picture = overview(state_of(env), spec_of(env, env_id))[0].numpy()
            assert np.array_equal(picture, observation["image"])
            observation = wrapped.step(action)[0]


def test_frames_are_one_block_of_memory() -> None:
    layouts = draw_layouts("MiniGrid-MemoryS7-v0", range(3))
    assert observe(layouts.start, layouts.spec).is_contiguous()


def test_frames_of_the_twin_are_vectors_over_the_vocabulary() -> None:
    layouts = draw_layouts("MiniGrid-DoorKey-8x8-v0", range(4))
    frames = observe(layouts.start, layouts.spec)
    assert torch.equal(decode(one_hot(frames)), frames)


def test_what_is_in_a_box_does_not_show() -> None:
    layouts = draw_layouts("MiniGrid-Empty-5x5-v0", range(2))
    state = layouts.start.clone()
    boxes = [Thing("box", "red"), Thing("box", "red", contents=Thing("key", "red"))]
    state.grid[:, 1 * 5 + 2] = cell_of_code(CPU)[[code_of(box) for box in boxes]]
    frames = observe(state, layouts.spec)
    assert torch.equal(frames[0], frames[1])
    assert not torch.equal(look(state, layouts.spec)[0], look(state, layouts.spec)[1])


def test_a_view_turned_round_shows_the_same_cells_elsewhere() -> None:
    layouts = draw_layouts("MiniGrid-Empty-16x16-v0", [0])
    cells = cells_in_view(layouts.spec, CPU).reshape(16, 16, 4, 7, 8)[..., :7]
    east, west = cells[8, 8, 0], cells[8, 8, 2]
    assert east[3, 6] == west[3, 6] == 8 * 16 + 8
    assert (east[3, 5], west[3, 5]) == (9 * 16 + 8, 7 * 16 + 8)
    assert (east[4, 6], west[4, 6]) == (8 * 16 + 9, 8 * 16 + 7)


def test_cells_outside_the_grid_are_the_wall_around_it() -> None:
    layouts = draw_layouts("MiniGrid-Empty-5x5-v0", [0])
    cells = cells_in_view(layouts.spec, CPU).reshape(5, 5, 4, 7, 8)
    assert cells[1, 1, 3, 3, 0] == layouts.spec.n_cells
    assert cells.max() == layouts.spec.n_cells


@pytest.mark.parametrize(("view", "pitch"), [(3, 8), (7, 8), (9, 9)])
def test_columns_of_a_view_are_eight_slots_apart_as_long_as_that_is_enough(view: int, pitch: int) -> None:
    assert pitch_of(view) == pitch
    cells = torch.arange(view * pitch, dtype=torch.int32)[None]
    assert frames_of(cells, view)[0, 1, 2].tolist() == [pitch + 2, 0, 0]
