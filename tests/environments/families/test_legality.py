"""Which states MiniGrid could be in, and what is said of those that it could not."""

from dataclasses import replace

import pytest
import torch

from environments.families.legality import is_legal, require_legal
from environments.graph.enumeration import enumerate_states
from environments.graph.starts import exhaustive_layouts
from environments.grid.cells import THING_OF_CODE, Thing, cell_of_code, code_of, codes_of
from environments.grid.state import concatenated
from environments.registration import twin_ids
from environments.twin.dynamics import step
from environments.twin.layouts import draw_layouts

CPU = torch.device("cpu")
KEY = code_of(Thing("key", "red"))
PUT_NEAR = draw_layouts("MiniGrid-PutNear-6x6-N2-v0", [0])


@pytest.mark.parametrize("env_id", twin_ids())
@pytest.mark.filterwarnings("ignore:.*out of date")
def test_layouts_of_minigrid_and_what_follows_from_them_are_legal(env_id: str) -> None:
    layouts, rng = draw_layouts(env_id, range(6)), torch.Generator().manual_seed(0)
    state, goes_on = layouts.start.clone(), torch.ones(6, dtype=torch.bool)
    for _ in range(40):
        assert is_legal(state, layouts.spec)[goes_on].all()
        drawn = torch.multinomial(torch.tensor([0.12, 0.1, 0.4, 0.14, 0.12, 0.12]), 6, replacement=True, generator=rng)
        state, result = step(state, drawn * goes_on, layouts.spec)
        goes_on &= ~result.ended


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("position", [36], r"The agent is in cell 36; the cells are 0 to 35"),
        ("position", [0], r"stands at \(0, 0\) on a wall"),
        ("direction", [4], r"direction is 4; directions are 0 to 3"),
        ("time", [31], r"The time is 31; it runs from 0 to 30"),
        ("time", [-5], r"The time is -5"),
        ("parameters", [[KEY, 99, KEY]], r"Parameter 1 of PutNear is 99; it is a cell, 0 to 35"),
        ("parameters", [[0, 8, KEY]], r"Parameter 0 of PutNear is 0; it is the code of a thing to carry"),
        ("parameters", [[KEY, 8, 400]], r"Parameter 2 of PutNear is 400; it is the code of a thing to carry"),
        ("parameters", [[KEY, 8]], r"The state has 2 parameters; a rule has room for 3"),
    ],
)
def test_an_impossible_state_is_named(field: str, value: list, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        require_legal(replace(PUT_NEAR.start, **{field: torch.tensor(value)}), PUT_NEAR.spec)


def test_hands_hold_only_what_can_be_carried() -> None:
    hand = torch.tensor([code_of(Thing("goal", "green"))], dtype=torch.int32)
    with pytest.raises(ValueError, match=r"carries Thing\(kind='goal'.*which cannot be carried"):
        require_legal(replace(PUT_NEAR.start, hand=hand), PUT_NEAR.spec)


def test_a_cell_must_hold_something_known() -> None:
    grid = PUT_NEAR.start.grid.clone()
    grid[0, 7] = 12345
    with pytest.raises(ValueError, match=r"Cell \(1, 1\) holds 12345, which is nothing that MiniGrid has"):
        require_legal(replace(PUT_NEAR.start, grid=grid), PUT_NEAR.spec)


def test_a_grid_of_another_size_is_named() -> None:
    with pytest.raises(ValueError, match=r"has 30 cells; MiniGrid-PutNear-6x6-N2-v0 has 6 by 6"):
        require_legal(replace(PUT_NEAR.start, grid=PUT_NEAR.start.grid[:, 6:].contiguous()[:, :31]), PUT_NEAR.spec)


def test_a_gap_in_the_outer_wall_is_found() -> None:
    grid = PUT_NEAR.start.grid.clone()
    grid[0, 3] = cell_of_code(CPU)[0]
    with pytest.raises(ValueError, match=r"could walk out of the grid"):
        require_legal(replace(PUT_NEAR.start, grid=grid), PUT_NEAR.spec)


def test_a_door_in_the_outer_wall_is_a_way_out_unless_toggling_ends_the_episode() -> None:
    outside = draw_layouts("MiniGrid-GoToDoor-5x5-v0", [0])
    require_legal(outside.start, outside.spec)
    with pytest.raises(ValueError, match=r"could walk out"):
        require_legal(outside.start, replace(outside.spec, rule=draw_layouts("MiniGrid-Empty-5x5-v0", [0]).spec.rule))


@pytest.mark.parametrize("env_id", ["MiniGrid-MemoryS7-v0", "MiniGrid-DoorKey-6x6-v0", "MiniGrid-PutNear-6x6-N2-v0"])
def test_worlds_are_judged_together_as_they_are_judged_alone(env_id: str) -> None:
    """States are spoilt at random: any number of them, in any field, by values near the edge of what is allowed."""
    layouts, rng = draw_layouts(env_id, range(60)), torch.Generator().manual_seed(0)
    state = layouts.start.clone()
    for name, values in {"position": (-1, 0, 8, 14, 36, 99), "direction": (-1, 4), "time": (-1, 10**5)}.items():
        spoilt = torch.rand(60, generator=rng) < 0.2
        drawn = torch.tensor(values)[torch.randint(len(values), (60,), generator=rng)]
        getattr(state, name)[spoilt] = drawn[spoilt]
    state.parameters[torch.rand(60, generator=rng) < 0.2] = torch.tensor([7, 7, 7])
    state.grid[torch.rand(60, generator=rng) < 0.2, 3] = cell_of_code(CPU)[0]
    together = is_legal(state, layouts.spec)
    for world in range(60):
        one = state[torch.tensor([world])]
        assert is_legal(one, layouts.spec).item() == together[world].item()
        if together[world]:
            require_legal(one, layouts.spec)
        else:
            with pytest.raises(ValueError, match=r"\."):
                require_legal(one, layouts.spec)
    assert 10 < together.sum() < 50


def test_the_first_world_that_is_wrong_is_named() -> None:
    both = concatenated([PUT_NEAR.start, replace(PUT_NEAR.start, direction=torch.tensor([7]))])
    with pytest.raises(ValueError, match=r"World 1: The agent's direction is 7"):
        require_legal(both, PUT_NEAR.spec)


def test_tensors_for_different_numbers_of_worlds_are_refused() -> None:
    state = concatenated([PUT_NEAR.start] * 4)
    object.__setattr__(state, "position", state.position[:2])  # what the type checker of the tests would not let pass
    with pytest.raises(ValueError, match=r"'position': 2, 'direction': 4.*each of them has one for each world"):
        require_legal(state, PUT_NEAR.spec)


@pytest.mark.parametrize(
    ("env_id", "parameters", "complaint"),
    [
        ("MiniGrid-MemoryS7-v0", [0, 0, 0], r"Parameter 0 of MatchMemory is 0; it is a cell inside the outer wall"),
        ("MiniGrid-MemoryS7-v0", [37, 37, 0], r"Both cells of MatchMemory are 37"),
        ("MiniGrid-MemoryS7-v0", [34, 39, 0], r"Parameter 0 of MatchMemory is 34"),
        ("MiniGrid-MemoryS7-v0", [38, 10, 0], r"beside an end of the fork, lies neither a key nor a ball"),
        ("MiniGrid-Unlock-v0", [40, 0, 0], r"Parameter 0 of OpenDoor is 40; it is the cell of a door"),
        ("MiniGrid-RedBlueDoors-6x6-v0", [3, 3, 0], r"Parameter 0 of OpenRedThenBlue is 3; it is the cell of a door"),
        ("MiniGrid-GoToObject-6x6-N2-v0", [8, 0, 0], r"Parameter 1 of DoneBeside is 0; it is the code of a door or"),
        ("MiniGrid-Empty-5x5-v0", [0, 5, 0], r"Parameter 1 of ReachGoal is 5; it is not used, and 0"),
    ],
)
def test_a_rule_must_have_what_it_goes_by(env_id: str, parameters: list[int], complaint: str) -> None:
    layouts = draw_layouts(env_id, [0])
    with pytest.raises(ValueError, match=complaint):
        require_legal(replace(layouts.start, parameters=torch.tensor([parameters])), layouts.spec)


def test_both_doors_of_a_world_with_two_must_be_told_apart() -> None:
    layouts = draw_layouts("MiniGrid-RedBlueDoors-6x6-v0", [0])
    parameters = layouts.start.parameters.clone()
    parameters[0, 1] = parameters[0, 0]
    with pytest.raises(ValueError, match=r"Both cells of OpenRedThenBlue are"):
        require_legal(replace(layouts.start, parameters=parameters), layouts.spec)


@pytest.mark.parametrize("contents", [False, True])
def test_nothing_may_look_like_the_target_of_a_pick_up_task(*, contents: bool) -> None:
    layouts = draw_layouts("MiniGrid-KeyCorridorS3R1-v0", [0])
    target = THING_OF_CODE[int(layouts.start.parameters[0, 0])]
    decoy = Thing("box", "red", contents=target) if contents else target
    hand = torch.tensor([code_of(decoy)], dtype=torch.int32)
    with pytest.raises(ValueError, match=r"2 objects look like the target, Thing\(kind='ball'"):
        require_legal(replace(layouts.start, hand=hand), layouts.spec)
    require_legal(replace(layouts.start, hand=torch.zeros_like(hand)), layouts.spec)


def test_what_a_movable_memory_world_can_come_to_is_legal() -> None:
    """The instruction can be put down on the cells at which the episode ends."""
    found = enumerate_states(exhaustive_layouts("MiniGrid-MemoryS7FixedStart-v0"))
    assert is_legal(found.states, found.spec).all()
    at_ends = codes_of(found.states.grid.gather(1, found.states.parameters[:, :2])) != 0
    assert at_ends.any()
