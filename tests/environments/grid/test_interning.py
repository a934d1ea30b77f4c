"""The table of frames: equal ids for equal frames and for no others, numbered as they appear."""

import numpy as np
import torch

from environments.graph.enumeration import number_rows
from environments.grid.cells import Thing, cell_of_code, code_of
from environments.grid.interning import FrameInterner
from environments.grid.observation import look, observe
from environments.twin.dynamics import step
from environments.twin.layouts import draw_layouts

CPU = torch.device("cpu")


def test_ids_are_those_of_a_dictionary_of_frames() -> None:
    layouts = draw_layouts("MiniGrid-FourRooms-v0", range(60))
    table, state, rng = FrameInterner(7), layouts.start.clone(), np.random.default_rng(0)
    frames, ids = [], []
    for _ in range(60):
        ids.append(table.intern(look(state, layouts.spec)))
        frames.append(observe(state, layouts.spec))
        state, _ = step(state, torch.tensor(rng.integers(0, 3, 60)), layouts.spec)
    seen, number = torch.cat(frames), torch.cat(ids)
    assert np.array_equal(number.numpy(), number_rows(seen.numpy()))
    assert torch.equal(table.frames[number], seen)
    assert len(table) == len(table.frames) > 256  # more than there was room for at first


def test_frames_keep_their_ids() -> None:
    layouts = draw_layouts("MiniGrid-Empty-Random-6x6-v0", range(40))
    table, cells = FrameInterner(7), look(layouts.start, layouts.spec)
    first = table.intern(cells[:10])
    table.intern(cells)
    assert torch.equal(table.intern(cells[:10]), first)


def test_boxes_with_different_contents_are_one_frame() -> None:
    layouts = draw_layouts("MiniGrid-Empty-5x5-v0", range(2))
    state = layouts.start.clone()
    boxes = [Thing("box", "red"), Thing("box", "red", contents=Thing("key", "red"))]
    state.grid[:, 1 * 5 + 2] = cell_of_code(CPU)[[code_of(box) for box in boxes]]
    assert FrameInterner(7).intern(look(state, layouts.spec)).tolist() == [0, 0]


def test_a_new_table_is_empty() -> None:
    assert len(FrameInterner(7)) == 0
    assert FrameInterner(5).frames.shape == (0, 5, 5, 3)
