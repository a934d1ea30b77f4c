"""Settings: the numbering of cells and what no world can be."""

import pytest

from environments.families.reach_goal import ReachGoal
from environments.grid.world_spec import WorldSpec

SPEC = WorldSpec("drawn", width=6, height=4, max_steps=10, rule=ReachGoal())


def test_places_and_cells_are_inverse() -> None:
    assert [SPEC.cell(*SPEC.place(cell)) for cell in range(SPEC.n_cells)] == list(range(24))
    assert SPEC.place(4) == (1, 0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"view": 4}, r"view is 4 cells wide; it must be odd and at least 3"),
        ({"view": 1}, r"view is 1 cells wide"),
        ({"width": 2}, r"A grid of 2 by 4 has no room"),
        ({"max_steps": 0}, r"time limit is 0; it is 1 to 32767"),
        ({"max_steps": 32768}, r"time limit is 32768; it is 1 to 32767, so that facts can tell the time in 16 bits"),
    ],
)
def test_what_no_world_can_be_is_refused(change: dict[str, int], complaint: str) -> None:
    sizes = {"width": 6, "height": 4, "max_steps": 10, "view": 7, **change}
    with pytest.raises(ValueError, match=complaint):
        WorldSpec(
            "drawn", sizes["width"], sizes["height"], max_steps=sizes["max_steps"], rule=ReachGoal(), view=sizes["view"]
        )


def test_a_cell_outside_is_refused() -> None:
    with pytest.raises(ValueError, match=r"There is no cell \(6, 0\) in a grid of 6 by 4"):
        SPEC.cell(6, 0)
