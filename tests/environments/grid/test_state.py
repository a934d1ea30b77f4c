"""States as batches: chosen, copied, joined and overwritten."""

from dataclasses import fields

import torch

from environments.grid.state import State, concatenated
from environments.twin.layouts import draw_layouts

START = draw_layouts("MiniGrid-Empty-Random-6x6-v0", range(6)).start


def _equal(one: State, other: State) -> bool:
    return all(torch.equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(State))


def test_choosing_worlds_one_by_one_and_joining_them_gives_the_batch() -> None:
    assert _equal(concatenated([START[torch.tensor([world])] for world in range(len(START))]), START)


def test_a_clone_shares_nothing() -> None:
    clone = START.clone()
    clone.grid.zero_()
    clone.position.zero_()
    assert START.grid.any()
    assert START.position.any()


def test_worlds_that_are_put_replace_those_and_no_others() -> None:
    state = START.clone()
    state.put(torch.tensor([1, 3]), START[torch.tensor([5, 0])])
    assert _equal(state, START[torch.tensor([0, 5, 2, 0, 4, 5])])
