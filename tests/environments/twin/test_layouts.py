"""Layouts out of MiniGrid: what is kept of an environment."""

from dataclasses import replace

import pytest
import torch

from environments.registration import make
from environments.twin.layouts import Layouts, draw_layouts, spec_of, state_of, uniform


def test_a_layout_is_minigrids_own_for_its_seed() -> None:
    layouts, env = draw_layouts("MiniGrid-DoorKey-8x8-v0", [5, 9]), make("MiniGrid-DoorKey-8x8-v0")
    for row, seed in enumerate((5, 9)):
        env.reset(seed=seed)
        assert torch.equal(state_of(env).grid[0], layouts.start.grid[row])
    assert layouts.probability.tolist() == [0.5, 0.5]


def test_options_reach_minigrid() -> None:
    spec = draw_layouts("MiniGrid-DoorKey-5x5-v0", [0], max_steps=9, agent_view_size=5).spec
    assert (spec.max_steps, spec.view) == (9, 5)


def test_a_setting_says_what_the_environment_is_like() -> None:
    spec = spec_of(make("MiniGrid-RedBlueDoors-6x6-v0"), "MiniGrid-RedBlueDoors-6x6-v0")
    assert (spec.width, spec.height, spec.max_steps, spec.sees_through_walls) == (12, 6, 720, False)
    assert spec_of(make("MiniGrid-Empty-5x5-v0"), "").sees_through_walls


def test_no_layout_is_too_few() -> None:
    with pytest.raises(ValueError, match=r"There is no layout of MiniGrid-Empty-5x5-v0"):
        draw_layouts("MiniGrid-Empty-5x5-v0", [])


def test_a_seed_that_minigrid_does_not_have_is_named() -> None:
    with pytest.raises(ValueError, match=r"A seed of MiniGrid-Empty-5x5-v0 is -1"):
        draw_layouts("MiniGrid-Empty-5x5-v0", [0, -1])


def test_layouts_of_another_size_are_refused() -> None:
    small, large = (draw_layouts(f"MiniGrid-Empty-{size}x{size}-v0", [0]) for size in (5, 6))
    with pytest.raises(ValueError, match=r"layouts have 25 cells each; a grid of MiniGrid-Empty-6x6-v0 has 6 by 6"):
        Layouts(large.spec, small.start, small.probability)
    with pytest.raises(ValueError, match=r"25 cells each"):
        uniform(replace(small.spec, width=6), [small.start])
    with pytest.raises(ValueError, match=r"layouts have 25 cells each"):
        uniform(large.spec, [large.start, small.start])


def test_a_grid_that_lies_on_its_side_is_refused() -> None:
    doors = draw_layouts("MiniGrid-RedBlueDoors-6x6-v0", range(4))
    with pytest.raises(ValueError, match=r"World 0: The agent"):
        Layouts(replace(doors.spec, width=6, height=12), doors.start, doors.probability)


@pytest.mark.parametrize(
    ("probability", "complaint"),
    [
        ([1.0], r"There are 1 probabilities for 4 layouts"),
        ([7.0] * 4, r"The probabilities of the layouts sum to 28, and the smallest is 7"),
        ([-1.0, 1.0, 1.0, 0.0], r"sum to 1, and the smallest is -1; they are at least 0 and sum to 1"),
        ([float("nan")] * 4, r"sum to nan"),
    ],
)
def test_what_are_no_probabilities_of_the_layouts_is_refused(probability: list[float], complaint: str) -> None:
    layouts = draw_layouts("MiniGrid-Empty-Random-5x5-v0", range(4))
    with pytest.raises(ValueError, match=complaint):
        Layouts(layouts.spec, layouts.start, torch.tensor(probability, dtype=torch.float64))
