"""Worlds as text: read back as written, and refused when they show no world."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environments.families.reach_goal import ReachGoal
from environments.grid.cells import EMPTY, THING_OF_CODE, Thing, cell_of_code, codes_of
from environments.grid.world_spec import WorldSpec
from environments.registration import twin_ids
from environments.twin.drawing import draw, parse_drawing
from environments.twin.dynamics import step
from environments.twin.layouts import draw_layouts

SPEC = WorldSpec("drawn", width=5, height=4, max_steps=20, rule=ReachGoal())

ROOM = """
#  #      #  #  #
#  >      .  Ly #
#  Br(Ky) Gg Vr #
#  #      #  #  #
carrying Ab
time 3
"""


def test_a_drawing_says_what_is_where() -> None:
    state = parse_drawing(ROOM, SPEC)
    codes = codes_of(state.grid[0]).tolist()
    assert THING_OF_CODE[codes[SPEC.cell(3, 1)]] == Thing("door", "yellow", "locked")
    assert THING_OF_CODE[codes[SPEC.cell(1, 2)]] == Thing("box", "red", contents=Thing("key", "yellow"))
    assert SPEC.place(int(state.position)) == (1, 1)
    assert int(state.direction) == 0
    assert THING_OF_CODE[int(state.hand)] == Thing("ball", "blue")
    assert int(state.time) == 3


def test_a_drawn_world_can_be_stepped() -> None:
    state = parse_drawing(ROOM, SPEC)
    for action in (2, 1):
        state, result = step(state, torch.tensor([action]), SPEC)
    state, result = step(state, torch.tensor([2]), SPEC)
    assert result.success.item()


@pytest.mark.parametrize("line", ["", "parameters", "parameters 5", "parameters 1 2 3", "parameters 36 36"])
def test_a_drawing_must_say_what_the_rule_goes_by(line: str) -> None:
    layouts = draw_layouts("MiniGrid-MemoryS7-v0", [0])
    drawing = draw(layouts.start, layouts.spec).splitlines()
    assert drawing[-1].startswith("parameters ")
    with pytest.raises(ValueError, match=r"MatchMemory"):
        parse_drawing("\n".join([*drawing[:-1], line]), layouts.spec)


@pytest.mark.parametrize("env_id", twin_ids()[::2])
@pytest.mark.filterwarnings("ignore:.*out of date")
def test_any_layout_is_read_back_as_it_was_drawn(env_id: str) -> None:
    layouts = draw_layouts(env_id, [1])
    again = parse_drawing(draw(layouts.start, layouts.spec), layouts.spec)
    for name in ("grid", "position", "direction", "hand", "time", "parameters"):
        assert torch.equal(getattr(again, name), getattr(layouts.start, name))


@given(codes=st.lists(st.sampled_from(sorted(THING_OF_CODE)), min_size=6, max_size=6), direction=st.integers(0, 3))
@settings(
    derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_anything_that_a_cell_can_hold_is_read_back(codes: list[int], direction: int) -> None:
    state = parse_drawing(ROOM, SPEC)
    inner = [SPEC.cell(x, y) for x in (1, 2, 3) for y in (1, 2)]
    state.grid[0, inner] = cell_of_code(torch.device("cpu"))[codes]
    state.direction[0] = direction
    if THING_OF_CODE[codes[0]].can_be_entered:
        again = parse_drawing(draw(state, SPEC), SPEC)
        assert torch.equal(again.grid, state.grid)
        assert torch.equal(again.direction, state.direction)


def test_an_agent_on_an_open_door_is_drawn_after_the_door() -> None:
    state = parse_drawing(ROOM.replace(">  ", "Og^"), SPEC)
    assert "Og^" in draw(state, SPEC)
    assert THING_OF_CODE[int(codes_of(state.grid[0, int(state.position)]))] == Thing("door", "green", "open")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("Gg", "^", r"has 2 agents, at \[\(1, 1\), \(2, 2\)\]; draw exactly one"),
        (">", ".", r"has 0 agents"),
        ("Gg", "Gx", r"'Gx' in the drawing is no thing"),
        ("Gg", "Zg", r"'Zg' in the drawing is no thing"),
        ("Gg", "Ab(Ky)", r"'Ab' in the drawing is no thing"),
        ("Gg", "goal", r"The word 'goal' in the drawing means nothing"),
        ("time 3", "time soon", r"'soon' below the drawing is no number"),
        ("time 3", "time 21", r"The time is 21; it runs from 0 to 20"),
        ("carrying Ab", "carrying Gg", r"which cannot be carried"),
        ("Gg Vr #", "Gg Vr .", r"could walk out of the grid; wall it in"),
        ("Gg Vr #", "Gg Vr", r"rows of \[4, 5\] cells; drawn is 5 wide and 4 high"),
        (">", "Ly>", r"stands at \(1, 1\) on a door, which cannot be entered"),
        ("time 3", "time", r"says 'time'; exactly one word follows 'time'"),
        ("time 3", "time 1 2", r"says 'time 1 2'; exactly one word follows 'time'"),
        ("time 3", "time 3\ntime 4", r"says 'time' 2 times; once is enough"),
        ("time 3", "time 99999999999999999999", r"99999999999999999999 below the drawing is too large"),
        ("time 3", "time -1", r"'-1' below the drawing is no number"),
        ("carrying Ab", "carrying", r"says 'carrying'; exactly one word follows"),
        ("carrying Ab", "carrying Kg Kr", r"says 'carrying Kg Kr'; exactly one word follows"),
        ("carrying Ab", "carrying Kg\ncarrying Kr", r"says 'carrying' 2 times"),
        ("carrying Ab", "carrying Kg>", r"carries 'Kg>'; it cannot carry an agent"),
        ("carrying Ab", "carrying #", r"which cannot be carried"),
        ("time 3", "parameters 5 0", r"2 parameters were given, and ReachGoal goes by 0\."),
    ],
)
def test_what_shows_no_world_is_refused(old: str, new: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_drawing(ROOM.replace(old, new, 1), SPEC)


def test_only_one_world_fits_into_a_drawing() -> None:
    layouts = draw_layouts("MiniGrid-Empty-5x5-v0", range(2))
    with pytest.raises(ValueError, match=r"A drawing shows one world, and the state has 2"):
        draw(layouts.start, layouts.spec)
    assert THING_OF_CODE[0] == EMPTY
