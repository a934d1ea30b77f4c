"""Edits of one world: things placed, moved, recoloured, replaced or removed, and states read from pictures."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import compress

import torch
from jaxtyping import Int64, UInt8
from minigrid.core.constants import IDX_TO_COLOR, IDX_TO_OBJECT, OBJECT_TO_IDX, STATE_TO_IDX
from torch import Tensor

from environments.families.legality import is_legal, require_legal
from environments.grid.cells import COLOURS, EMPTY, THING_OF_CODE, WALL, Thing, cell_of_code, code_of, codes_of
from environments.grid.state import State
from environments.grid.world_spec import Parameter, WorldSpec, parameter_row
from environments.twin.layouts import CPU


@dataclass(frozen=True)
class Place:
    """Put a thing into the empty cell (x, y)."""

    x: int
    y: int
    thing: Thing


@dataclass(frozen=True)
class Remove:
    """Empty the cell (x, y)."""

    x: int
    y: int


@dataclass(frozen=True)
class Move:
    """Take what is in the cell (x, y) to the empty cell (to_x, to_y)."""

    x: int
    y: int
    to_x: int
    to_y: int


@dataclass(frozen=True)
class Recolour:
    """Give what is in the cell (x, y) another colour."""

    x: int
    y: int
    colour: str


@dataclass(frozen=True)
class Replace:
    """Put a thing of another kind where something lies, at the cell (x, y)."""

    x: int
    y: int
    thing: Thing


Edit = Place | Remove | Move | Recolour | Replace
"""A single change to one world. Walls cannot be edited, and nothing can be put where the agent stands."""


def edited(state: State, edit: Edit, spec: WorldSpec) -> State:
    """Return a copy of a batch of one world with one change. Raises ValueError for a change that is not legal.

    The world goes on as MiniGrid's does when the same is done to its objects. MiniGrid knows the doors to open and the
    target to pick up by identity, so the rule's parameters follow these; what it knows by place or by words, such as
    the cell to stand beside or the colour to fetch, stays as it was.
    """
    _require_one(state)
    after = _changed(state, [edit], spec)
    require_legal(after, spec)
    return after


def _changed(state: State, edits: list[Edit], spec: WorldSpec) -> State:
    """Return one world after each edit, legal or not. Raises ValueError where there is nothing to edit, or no room."""
    after = state[torch.zeros(len(edits), dtype=torch.int64, device=state.position.device)]
    changes = [_changes(state, edit, spec) for edit in edits]
    world = [row for row, changed in enumerate(changes) for _ in changed]
    codes = [code_of(thing) for changed in changes for thing in changed.values()]
    after.grid[world, [cell for changed in changes for cell in changed]] = cell_of_code(state.grid.device)[codes]
    for row, edit in enumerate(edits):
        _follow(after.parameters[row], edit, state=state, spec=spec)
    return after


def _changes(state: State, edit: Edit, spec: WorldSpec) -> dict[int, Thing]:
    """Return what the edit puts into which cells."""
    cell = spec.cell(edit.x, edit.y)
    match edit:
        case Place(thing=thing):
            _require_empty(state, cell, spec)
            return {cell: thing}
        case Remove():
            _editable(state, cell, spec)
            return {cell: EMPTY}
        case Move(to_x=x, to_y=y):
            _require_empty(state, spec.cell(x, y), spec)
            return {cell: EMPTY, spec.cell(x, y): _editable(state, cell, spec)}
        case Replace(thing=thing):
            if _editable(state, cell, spec).kind == thing.kind:
                raise ValueError(f"The cell {spec.place(cell)} holds a {thing.kind} already; recolour it.")
            return {cell: thing}
        case Recolour(colour=colour):
            return {cell: replace(_editable(state, cell, spec), colour=colour)}


def _follow(parameters: Int64[Tensor, " parameter"], edit: Edit, *, state: State, spec: WorldSpec) -> None:
    """Change the parameters with an edit: a door that is moved keeps its part, and so does a recoloured target."""
    cell = spec.cell(edit.x, edit.y)
    match edit:
        case Move(to_x=x, to_y=y) if Parameter.DOOR in spec.rule.parameters:
            used = parameters[: len(spec.rule.parameters)]
            used[used == cell] = spec.cell(x, y)
        case Recolour(colour=colour) if spec.rule.follows_recolouring:
            thing = _thing_at(state, cell)
            if code_of(thing) == int(parameters[0]):
                parameters[0] = code_of(replace(thing, colour=colour))


def each_edit(state: State, spec: WorldSpec, *, things: tuple[Thing, ...] = ()) -> Iterator[Edit]:
    """Yield the legal single edits of a world inside its outer wall.

    They are removals, recolourings and moves of what is there, and these things in every empty cell and in place of
    what is of another kind, as far as `edited` does not refuse them. Raises ValueError for another number of worlds.
    """
    yield from all_edited(state, spec, things=things)[0]


def all_edited(state: State, spec: WorldSpec, *, things: tuple[Thing, ...] = ()) -> tuple[tuple[Edit, ...], State]:
    """Return the edits of `each_edit`, and one world after each of them."""
    _require_one(state)
    edits = list(_imaginable_edits(state, spec, things=things))
    after = _changed(state, edits, spec)
    legal = is_legal(after, spec)
    return tuple(compress(edits, legal.tolist())), after[legal.nonzero()[:, 0]]


def _imaginable_edits(state: State, spec: WorldSpec, *, things: tuple[Thing, ...]) -> Iterator[Edit]:
    """Yield every edit for which there is something to edit, and room."""
    thing_at = [THING_OF_CODE[code] for code in codes_of(state.grid[0, :-1]).tolist()]
    free = [cell for cell in range(spec.n_cells) if _is_inside(cell, spec) and cell != int(state.position)]
    empty = [cell for cell in free if thing_at[cell] == EMPTY]
    for cell in free:
        if thing_at[cell].kind not in {"empty", "wall"}:
            yield from _edits_of(cell, thing_at[cell], spec)
            yield from (Replace(*spec.place(cell), thing) for thing in things if thing.kind != thing_at[cell].kind)
            yield from (Move(*spec.place(cell), *spec.place(target)) for target in empty)
    yield from (Place(*spec.place(cell), thing) for cell in empty for thing in things)


def _edits_of(cell: int, thing: Thing, spec: WorldSpec) -> Iterator[Edit]:
    """Yield the edits of a thing that leave it in its cell, or take it away."""
    x, y = spec.place(cell)
    yield Remove(x, y)
    if thing.kind != "lava":  # which comes in one colour
        yield from (Recolour(x, y, colour) for colour in COLOURS if colour != thing.colour)


def state_of_image(image: UInt8[Tensor, "width height 3"], spec: WorldSpec, parameters: tuple[int, ...] = ()) -> State:
    """Return the state that a picture from above shows, the inverse of `environments.grid.observation.overview`.

    The parameters of the world's rule, which no picture shows, are given beside it. Nothing is carried, boxes are empty
    and the agent stands on nothing, since the picture cannot say otherwise. Raises ValueError for a picture of another
    size, without exactly one agent, or with something that MiniGrid does not have, for another number of parameters
    than the rule goes by, and for an illegal state.
    """
    if tuple(image.shape) != (spec.width, spec.height, 3):
        raise ValueError(f"The picture has shape {tuple(image.shape)}; {spec.env_id} is {spec.width} by {spec.height}.")
    agents = (image[..., 0] == OBJECT_TO_IDX["agent"]).flatten().nonzero()[:, 0].tolist()
    if len(agents) != 1:
        raise ValueError(f"The picture has {len(agents)} agents; it must have exactly one.")
    cells = image.reshape(-1, 3).tolist()
    direction = cells[agents[0]][2]
    cells[agents[0]] = list(EMPTY.channels)
    codes = torch.tensor([*(_code_of_channels(*channels) for channels in cells), code_of(WALL)])
    state = State(
        grid=cell_of_code(CPU).index_select(0, codes)[None],
        position=torch.tensor(agents),
        direction=torch.tensor([direction]),
        hand=torch.zeros(1, dtype=torch.int32),
        time=torch.zeros(1, dtype=torch.int64),
        parameters=parameter_row(spec.rule, parameters),
    )
    require_legal(state, spec)
    return state


def _code_of_channels(kind: int, colour: int, state: int) -> int:
    names = {number: name for name, number in STATE_TO_IDX.items()}
    if kind not in IDX_TO_OBJECT or colour not in IDX_TO_COLOR or state not in names:
        raise ValueError(f"The picture holds ({kind}, {colour}, {state}), which is nothing that MiniGrid has.")
    return code_of(Thing(IDX_TO_OBJECT[kind], IDX_TO_COLOR[colour], names[state]))


def _require_one(state: State) -> None:
    if len(state) != 1:
        raise ValueError(f"An edit changes one world, and the state has {len(state)}; choose one of them.")


def _is_inside(cell: int, spec: WorldSpec) -> bool:
    x, y = spec.place(cell)
    return 0 < x < spec.width - 1 and 0 < y < spec.height - 1


def _thing_at(state: State, cell: int) -> Thing:
    return THING_OF_CODE[int(codes_of(state.grid[0, cell]))]


def _require_empty(state: State, cell: int, spec: WorldSpec) -> None:
    thing = _thing_at(state, cell)
    if thing != EMPTY or cell == int(state.position):
        taken = "the agent" if cell == int(state.position) else f"a {thing.kind}"
        raise ValueError(f"The cell {spec.place(cell)} holds {taken}; choose an empty one.")


def _editable(state: State, cell: int, spec: WorldSpec) -> Thing:
    """Return what may be taken from a cell. Raises ValueError where there is nothing, a wall, or the agent on top."""
    thing = _thing_at(state, cell)
    if thing.kind in {"empty", "wall"} or cell == int(state.position):
        raise ValueError(
            f"The cell {spec.place(cell)} holds {'an' if thing == EMPTY else 'a'} {thing.kind} that cannot be edited"
            f"{', since the agent stands on it' if cell == int(state.position) else ''}."
        )
    return thing
