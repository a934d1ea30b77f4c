"""Single changes to a world: what they change, which are legal, and pictures turned back into states."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from minigrid.minigrid_env import MiniGridEnv

from environments.grid.cells import COLOURS, THING_OF_CODE, Thing, cell_of_code, code_of, codes_of
from environments.grid.observation import overview
from environments.grid.state import State, concatenated
from environments.registration import twin_ids
from environments.twin.editing import Edit, Move, Place, Recolour, Remove, Replace, each_edit, edited, state_of_image
from environments.twin.layouts import CPU, Layouts, draw_layouts

KEY = Thing("key", "blue")


@pytest.fixture(scope="module")
def memory() -> Layouts:
    return draw_layouts("MiniGrid-MemoryS7FixedStart-v0", [0])


def _thing(layouts: Layouts, state: State, x: int, y: int) -> Thing:
    return THING_OF_CODE[int(codes_of(state.grid[0, layouts.spec.cell(x, y)]))]


def test_each_kind_of_edit_changes_what_it_says_and_nothing_else(memory: Layouts) -> None:
    instruction = _thing(memory, memory.start, 1, 2)
    expected: list[tuple[Edit, dict[tuple[int, int], Thing]]] = [
        (Place(2, 3, KEY), {(2, 3): KEY}),
        (Remove(1, 2), {(1, 2): Thing("empty")}),
        (Move(1, 2, 2, 2), {(1, 2): Thing("empty"), (2, 2): instruction}),
        (Recolour(1, 2, "red"), {(1, 2): Thing(instruction.kind, "red")}),
        (Replace(1, 2, Thing("box", "red")), {(1, 2): Thing("box", "red")}),
    ]
    for edit, changes in expected:
        after = edited(memory.start, edit, memory.spec)
        for cell in range(memory.spec.n_cells):
            x, y = memory.spec.place(cell)
            assert _thing(memory, after, x, y) == changes.get((x, y), _thing(memory, memory.start, x, y))


def test_an_edit_leaves_the_original_alone(memory: Layouts) -> None:
    before = memory.start.clone()
    edited(memory.start, Remove(1, 2), memory.spec)
    assert torch.equal(before.grid, memory.start.grid)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (Place(1, 2, KEY), r"cell \(1, 2\) holds a (key|ball); choose an empty one"),
        (Place(1, 3, KEY), r"cell \(1, 3\) holds the agent"),
        (Place(9, 9, KEY), r"There is no cell \(9, 9\) in a grid of 7 by 7"),
        (Remove(2, 2), r"cell \(2, 2\) holds an empty that cannot be edited"),
        (Remove(0, 0), r"cell \(0, 0\) holds a wall that cannot be edited"),
        (Move(1, 2, 0, 0), r"cell \(0, 0\) holds a wall; choose an empty one"),
        (Recolour(1, 3, "red"), r"since the agent stands on it"),
        (Recolour(1, 2, "orange"), r"has no code"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(edit: Edit, complaint: str, memory: Layouts) -> None:
    with pytest.raises(ValueError, match=complaint):
        edited(memory.start, edit, memory.spec)


@pytest.mark.parametrize("env_id", twin_ids())
@pytest.mark.filterwarnings("ignore:.*out of date")
def test_every_listed_edit_can_be_made_and_leads_elsewhere(env_id: str) -> None:
    layouts, rng = draw_layouts(env_id, [2]), np.random.default_rng(0)
    edits = list(each_edit(layouts.start, layouts.spec, things=(KEY,)))
    assert len(set(edits)) == len(edits) > 0
    chosen = [edits[row] for row in rng.permutation(len(edits))[:40]]
    results = {edited(layouts.start, edit, layouts.spec).grid.numpy().tobytes() for edit in chosen}
    assert len(results) == len(chosen)
    assert layouts.start.grid.numpy().tobytes() not in results


@pytest.mark.parametrize(
    "env_id", ["MiniGrid-GoToDoor-5x5-v0", "MiniGrid-UnlockPickup-v0", "MiniGrid-MemoryS7FixedStart-v0"]
)
def test_the_edits_that_are_not_listed_are_those_that_are_refused(env_id: str) -> None:
    layouts = draw_layouts(env_id, [5])
    spec = layouts.spec
    cells = [spec.place(cell) for cell in range(spec.n_cells)]
    inner = [(x, y) for x, y in cells if 0 < x < spec.width - 1 and 0 < y < spec.height - 1]
    tried: list[Edit] = [Remove(x, y) for x, y in inner]
    tried += [Recolour(x, y, colour) for x, y in inner for colour in COLOURS]
    tried += [Move(*place, *to) for place in inner for to in inner[::3]]
    tried += [kind(x, y, Thing("box", "red")) for kind in (Place, Replace) for x, y in inner]
    listed = set(each_edit(layouts.start, spec, things=(Thing("box", "red"),)))
    for edit in tried:
        if edit in listed:
            edited(layouts.start, edit, spec)
        elif not _keeps_colour(edit, layouts):
            with pytest.raises(ValueError, match=r"\."):
                edited(layouts.start, edit, spec)


def _keeps_colour(edit: Edit, layouts: Layouts) -> bool:
    """Whether the edit leaves all as it was, which is not listed and not refused."""
    return isinstance(edit, Recolour) and _thing(layouts, layouts.start, edit.x, edit.y).colour == edit.colour


def _edit_minigrid(env: MiniGridEnv, edit: Edit, world_object: Callable) -> None:
    """Do to MiniGrid's own objects what an edit does to a state."""
    thing = env.grid.get(edit.x, edit.y)
    match edit:
        case Place(x, y, placed) | Replace(x, y, placed):
            env.grid.set(x, y, world_object(placed))
        case Remove(x, y):
            env.grid.set(x, y, None)
        case Move(x, y, to_x, to_y):
            env.grid.set(x, y, None)
            env.grid.set(to_x, to_y, thing)
        case Recolour(_, _, colour):
            assert thing is not None
            thing.color = colour


@pytest.mark.parametrize("env_id", twin_ids()[::3])
@pytest.mark.filterwarnings("ignore:.*out of date")
def test_an_edited_world_goes_on_as_minigrids_does_after_the_same_edit(
    env_id: str, beside: Callable, world_object: Callable
) -> None:
    rng = np.random.default_rng(twin_ids().index(env_id))
    worlds = beside(env_id, 2)
    worlds.reset(range(2))
    after = []
    for world, env in enumerate(worlds.envs):
        state = worlds.state[torch.tensor([world])]
        edits = list(each_edit(state, worlds.spec, things=(KEY, Thing("box", "grey"))))
        edit = edits[rng.integers(len(edits))]
        _edit_minigrid(env, edit, world_object)
        after.append(edited(state, edit, worlds.spec))
    worlds.state = concatenated(after)
    for _ in range(25):
        worlds.step(rng.choice(7, size=2, p=[0.12, 0.1, 0.4, 0.15, 0.1, 0.12, 0.01]).tolist())


@dataclass(frozen=True)
class Brought:
    """What a task turns on, brought before the agent, and what the agent then does with it."""

    env_id: str
    what: str
    action: int
    colour: str = ""
    """Painted in this colour, if any."""
    with_key: bool = False
    """Whether the agent is given the key of its colour."""


@pytest.mark.parametrize(
    "brought",
    [
        Brought("MiniGrid-Unlock-v0", "door", 5, with_key=True),
        Brought("MiniGrid-Unlock-v0", "door", 5, with_key=True, colour="grey"),
        Brought("MiniGrid-RedBlueDoors-6x6-v0", "blue door", 5),
        Brought("MiniGrid-UnlockPickup-v0", "box", 3),
        Brought("MiniGrid-UnlockPickup-v0", "box", 3, colour="grey"),
        Brought("MiniGrid-KeyCorridorS4R3-v0", "ball", 3, colour="grey"),
        Brought("MiniGrid-Fetch-8x8-N3-v0", "key", 3, colour="grey"),
        Brought("MiniGrid-GoToObject-8x8-N2-v0", "key", 6),
    ],
    ids=str,
)
def test_doors_and_targets_keep_their_part_when_they_are_moved_and_painted(
    brought: Brought, beside: Callable, world_object: Callable
) -> None:
    n_ended = 0
    for seed in range(12):
        worlds = beside(brought.env_id, 1)
        worlds.reset([seed])
        env = worlds.envs[0]
        found = _place_of(brought.what, worlds)
        if env.grid.get(*env.front_pos) or found is None:
            continue
        front = (int(env.front_pos[0]), int(env.front_pos[1]))
        edits: list[Edit] = [Move(*found, *front)]
        edits += [Recolour(*front, brought.colour)] if brought.colour else []
        for edit in edits:
            _edit_minigrid(env, edit, world_object)
            worlds.state = edited(worlds.state, edit, worlds.spec)
        if brought.with_key:
            key = Thing("key", env.grid.get(*front).color)
            env.carrying = world_object(key)
            worlds.state = replace(worlds.state, hand=torch.tensor([code_of(key)], dtype=torch.int32))
        n_ended += int(worlds.step([brought.action]).terminated.item())
    assert n_ended > 0


def _place_of(what: str, worlds: Any) -> tuple[int, int] | None:
    """Where the first such thing lies, if any does."""
    places = [worlds.spec.place(cell) for cell in range(worlds.spec.n_cells)]
    things = [(place, thing) for place in places if (thing := worlds.envs[0].grid.get(*place))]
    return next((place for place, thing in things if f"{thing.color} {thing.type}".endswith(what)), None)


def test_a_world_keeps_the_doors_and_targets_that_its_rule_goes_by(memory: Layouts) -> None:
    unlock = draw_layouts("MiniGrid-Unlock-v0", [0])
    door = unlock.spec.place(int(unlock.start.parameters[0, 0]))
    with pytest.raises(ValueError, match=r"Parameter 0 of OpenDoor is \d+; it is the cell of a door"):
        edited(unlock.start, Remove(*door), unlock.spec)
    with pytest.raises(ValueError, match=r"At \(5, 1\), beside an end of the fork, lies neither a key nor a ball"):
        edited(memory.start, Remove(5, 1), memory.spec)
    pickup = draw_layouts("MiniGrid-UnlockPickup-v0", [0])
    target = THING_OF_CODE[int(pickup.start.parameters[0, 0])]
    free = next(edit for edit in each_edit(pickup.start, pickup.spec, things=(KEY,)) if isinstance(edit, Place))
    with pytest.raises(ValueError, match=r"2 objects look like the target"):
        edited(pickup.start, Place(free.x, free.y, target), pickup.spec)


@pytest.mark.parametrize("env_id", twin_ids())
@pytest.mark.filterwarnings("ignore:.*out of date")
def test_a_picture_from_above_is_turned_back_into_its_state(env_id: str) -> None:
    """Boxes are emptied first, since no picture shows what is in them."""
    layouts = draw_layouts(env_id, range(2))
    full = {code: thing for code, thing in THING_OF_CODE.items() if thing.contents}
    for code, thing in full.items():
        layouts.start.grid[codes_of(layouts.start.grid) == code] = cell_of_code(CPU)[
            code_of(replace(thing, contents=None))
        ]
    n_parameters = len(layouts.spec.rule.parameters)
    for world, picture in enumerate(overview(layouts.start, layouts.spec)):
        parameters = layouts.start.parameters[world, :n_parameters].tolist()
        state = state_of_image(picture, layouts.spec, tuple(parameters))
        for name in ("grid", "position", "direction", "hand", "time", "parameters"):
            assert torch.equal(getattr(state, name)[0], getattr(layouts.start, name)[world])


@pytest.mark.parametrize("parameters", [(), (37,), (37, 39, 0), (37, 37)])
def test_a_picture_needs_the_parameters_of_its_rule_beside_it(parameters: tuple[int, ...], memory: Layouts) -> None:
    picture = overview(memory.start, memory.spec)[0]
    with pytest.raises(ValueError, match=r"MatchMemory"):
        state_of_image(picture, memory.spec, parameters)


@pytest.mark.parametrize(
    ("x", "value", "complaint"),
    [
        (2, (10, 0, 0), r"has 2 agents"),
        (2, (13, 0, 0), r"holds \(13, 0, 0\), which is nothing"),
        (2, (5, 9, 0), r"holds \(5, 9"),
    ],
)
def test_a_picture_of_no_world_is_refused(x: int, value: tuple[int, int, int], complaint: str) -> None:
    layouts = draw_layouts("MiniGrid-Empty-5x5-v0", [0])
    picture = overview(layouts.start, layouts.spec)[0]
    picture[x, 2] = torch.tensor(value, dtype=torch.uint8)
    with pytest.raises(ValueError, match=complaint):
        state_of_image(picture, layouts.spec)


def test_only_one_world_is_edited_at_a_time() -> None:
    layouts = draw_layouts("MiniGrid-DoorKey-5x5-v0", range(2))
    with pytest.raises(ValueError, match=r"An edit changes one world, and the state has 2"):
        edited(layouts.start, Remove(1, 1), layouts.spec)
    with pytest.raises(ValueError, match=r"An edit changes one world, and the state has 2"):
        list(each_edit(layouts.start, layouts.spec))


def test_a_picture_of_another_size_is_refused(memory: Layouts) -> None:
    picture = torch.tensor(np.zeros((5, 5, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"shape \(5, 5, 3\); MiniGrid-MemoryS7FixedStart-v0 is 7 by 7"):
        state_of_image(picture, memory.spec)
