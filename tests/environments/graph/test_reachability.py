"""Whether an edited state can come about by itself."""

import numpy as np
import pytest
import torch

from environments.graph.enumeration import enumerate_states
from environments.graph.reachability import UNREACHABLE, steps_to_reach
from environments.graph.starts import exhaustive_layouts
from environments.grid.cells import Thing
from environments.grid.state import State
from environments.twin.editing import Move, Place, Recolour, edited
from environments.twin.layouts import draw_layouts


def test_every_state_of_a_world_is_reached_at_its_depth() -> None:
    found = enumerate_states(exhaustive_layouts("MiniGrid-MemoryS7FixedStart-v0"))
    assert np.array_equal(steps_to_reach(found, found.states), found.depth)


def test_a_moved_key_is_reachable_where_keys_can_be_carried_and_nowhere_else() -> None:
    steps = []
    for env_id in ("MiniGrid-MemoryS7FixedStart-v0", "MiniGrid-MemoryS7FixedStartStatic-v0"):
        layouts = exhaustive_layouts(env_id)
        moved = edited(layouts.start[torch.tensor([0])], Move(1, 2, 2, 2), layouts.spec)
        steps.append(int(steps_to_reach(enumerate_states(layouts), moved)[0]))
    assert steps[0] > 0
    assert steps[1] == UNREACHABLE


def test_a_colour_that_the_world_does_not_have_is_out_of_reach() -> None:
    layouts = draw_layouts("MiniGrid-DoorKey-5x5-v0", [0])
    found = enumerate_states(layouts)
    state = found.states[torch.tensor([0])]
    key = next((x, y) for x in range(5) for y in range(5) if _is_key(state, layouts.spec.cell(x, y)))
    assert steps_to_reach(found, edited(state, Recolour(*key, "red"), layouts.spec)).tolist() == [UNREACHABLE]
    free = next(cell for cell in range(25) if int(state.grid[0, cell]) == 1 and cell != int(state.position))
    place = Place(*layouts.spec.place(free), Thing("ball", "red"))
    assert steps_to_reach(found, edited(state, place, layouts.spec)).tolist() == [UNREACHABLE]


def _is_key(state: State, cell: int) -> bool:
    return (int(state.grid[0, cell]) & 255) == 5


def test_states_of_another_size_are_refused() -> None:
    found = enumerate_states(draw_layouts("MiniGrid-Empty-5x5-v0", [0]))
    with pytest.raises(ValueError, match=r"The states have 36 cells; those of MiniGrid-Empty-5x5-v0 have 25"):
        steps_to_reach(found, draw_layouts("MiniGrid-Empty-6x6-v0", [0]).start)


def test_what_takes_longer_than_the_time_limit_is_out_of_reach() -> None:
    """A world with a longer limit has the same states, and says how far each of them is."""
    hasty, patient = (
        enumerate_states(draw_layouts("MiniGrid-DoorKey-5x5-v0", [0], max_steps=max_steps)) for max_steps in (20, 250)
    )
    depth = steps_to_reach(patient, hasty.states)
    assert depth.max() > 20
    assert np.array_equal(steps_to_reach(hasty, hasty.states), np.where(depth < 20, depth, UNREACHABLE))
