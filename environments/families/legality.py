"""Whether MiniGrid could be in a state: where it could not, a sentence says why."""

from collections.abc import Iterator
from dataclasses import fields

import torch
from jaxtyping import Bool, Int32, Int64
from torch import Tensor

from environments.grid.cells import EMPTY, THING_OF_CODE, WALL, Thing, cell_of_code, code_of, codes_of
from environments.grid.flaws import Flaw, code_in, codes_of_things, is_code_of, within
from environments.grid.state import State
from environments.grid.world_spec import N_PARAMETERS, Parameter, WorldSpec


def require_legal(state: State, spec: WorldSpec) -> None:
    """Raise ValueError unless MiniGrid could be in each of these states, naming the first world that could not be.

    The grid has the spec's size and holds known things, walled in so that the agent cannot leave it; the agent
    stands on something that can be entered, faces one of four directions and carries nothing or something that can be
    carried; the time is within the limit; the rule's parameters are what the rule wants, the others are 0; and nothing
    is there that only this family forbids.
    """
    _require_sizes(state, spec)
    for flaw in _flaws(state, spec):
        if flaw.is_there.any():
            world = int(flaw.is_there.int().argmax())
            where = f"World {world}: " if len(state) > 1 else ""
            raise ValueError(where + flaw.sentence(world))


def is_legal(state: State, spec: WorldSpec) -> Bool[Tensor, " world"]:
    """Return in which of these states MiniGrid could be. Raises ValueError for grids of another size."""
    _require_sizes(state, spec)
    flawed = torch.zeros_like(state.position, dtype=torch.bool)
    for flaw in _flaws(state, spec):
        flawed |= flaw.is_there
    return ~flawed


def _require_sizes(state: State, spec: WorldSpec) -> None:
    lengths = {field.name: getattr(state, field.name).shape[0] for field in fields(state)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The state has {lengths} rows; each of them has one for each world.")
    if state.grid.shape[1] != spec.n_cells + 1:
        raise ValueError(
            f"The state has {state.grid.shape[1] - 1} cells; {spec.env_id} has {spec.width} by {spec.height}."
        )
    if state.parameters.shape[1] != N_PARAMETERS:
        raise ValueError(f"The state has {state.parameters.shape[1]} parameters; a rule has room for {N_PARAMETERS}.")


def _flaws(state: State, spec: WorldSpec) -> Iterator[Flaw]:
    """Yield what can be wrong, each with the worlds in which it is. What is out of range is read as if it were 0."""
    codes = codes_of(state.grid)
    yield from _flaws_of_grid(state, codes, spec)
    yield from _flaws_of_agent(state, codes, spec)
    for index in range(N_PARAMETERS):
        yield _flaw_of_parameter(index, state, codes, spec)
    if spec.rule.parameters in (2 * (Parameter.END,), 2 * (Parameter.DOOR,)):
        yield Flaw(
            state.parameters[:, 0] == state.parameters[:, 1],
            lambda world: f"Both cells of {type(spec.rule).__name__} are {int(state.parameters[world, 0])}.",
        )
    yield from spec.rule.flaws(state, codes, spec)


def _flaws_of_grid(state: State, codes: Int32[Tensor, "world cell"], spec: WorldSpec) -> Iterator[Flaw]:
    is_unknown = cell_of_code(codes.device)[codes] != state.grid  # world cell

    def unknown(world: int) -> str:
        cell = int(is_unknown[world].int().argmax())
        held = int(state.grid[world, cell])
        return f"Cell {spec.place(cell)} holds {held}, which is nothing that MiniGrid has."

    yield Flaw(is_unknown.any(1), unknown)
    yield Flaw(
        codes[:, -1] != code_of(WALL),
        lambda _: "The last cell of a grid is the wall around it; the state has something else there.",
    )


def _flaws_of_agent(state: State, codes: Int32[Tensor, "world cell"], spec: WorldSpec) -> Iterator[Flaw]:
    position, direction, hand, time = state.position, state.direction, state.hand, state.time
    last = spec.n_cells - 1
    yield Flaw(
        (position < 0) | (position > last),
        lambda world: f"The agent is in cell {int(position[world])}; the cells are 0 to {last}.",
    )
    inside = within(position, spec.n_cells)
    below = code_in(codes, inside)

    def place(world: int) -> tuple[int, int]:
        return spec.place(int(inside[world]))

    yield Flaw(
        ~codes_of_things(_can_be_entered, codes.device)[below],
        lambda world: (
            f"The agent stands at {place(world)} on a {THING_OF_CODE[int(below[world])].kind}, which cannot be entered."
        ),
    )
    yield Flaw(
        (direction < 0) | (direction > 3),
        lambda world: f"The agent's direction is {int(direction[world])}; directions are 0 to 3.",
    )
    yield Flaw(
        ~is_code_of(hand, _fits_into_hands),
        lambda world: (
            f"The agent carries {THING_OF_CODE.get(int(hand[world]), int(hand[world]))}, which cannot be carried."
        ),
    )
    yield Flaw(
        (time < 0) | (time > spec.max_steps),
        lambda world: f"The time is {int(time[world])}; it runs from 0 to {spec.max_steps}.",
    )
    yield Flaw(
        _can_leave(inside, codes, spec),
        lambda world: f"The agent at {place(world)} could walk out of the grid; wall it in.",
    )


def _flaw_of_parameter(index: int, state: State, codes: Int32[Tensor, "world cell"], spec: WorldSpec) -> Flaw:
    number, wanted = state.parameters[:, index], spec.rule.parameters
    named = f"Parameter {index} of {type(spec.rule).__name__}"
    if index >= len(wanted):
        return Flaw(number != 0, lambda world: f"{named} is {int(number[world])}; it is not used, and 0.")
    kind = wanted[index]
    if kind in (Parameter.THING, Parameter.LANDMARK):
        is_met = is_code_of(number, _can_be_carried if kind == Parameter.THING else _is_landmark)
        return Flaw(~is_met, lambda world: f"{named} is {int(number[world])}; it is {kind.value}.")
    inside = within(number, spec.n_cells)
    is_met = number == inside
    if kind == Parameter.DOOR:
        is_met = is_met & codes_of_things(_is_door, codes.device)[code_in(codes, inside)]
    if kind == Parameter.END:
        is_met = is_met & ~codes_of_things(_is_wall, codes.device)[code_in(codes, inside)] & _is_inner(inside, spec)
    return Flaw(~is_met, lambda world: f"{named} is {int(number[world])}; it is {kind.value}, 0 to {spec.n_cells - 1}.")


def _can_leave(
    position: Int64[Tensor, " world"], codes: Int32[Tensor, "world cell"], spec: WorldSpec
) -> Bool[Tensor, " world"]:
    """Return whether everything but walls, opened at will, leaves a way from the agent to the border.

    Where a toggle ends the episode, doors stay as they are.
    """
    blocks = _is_opaque if spec.rule.doors_stay else _is_wall
    is_open = ~codes_of_things(blocks, codes.device)[codes[:, :-1]]
    is_open = is_open.unflatten(1, (spec.width, spec.height))
    padded = torch.zeros(len(codes), spec.width + 2, spec.height + 2, dtype=torch.bool, device=codes.device)
    reached = padded[:, 1:-1, 1:-1]
    world = torch.arange(len(codes), device=codes.device)
    reached[world, position // spec.height, position % spec.height] = True
    n_reached = len(codes)
    while True:
        near = padded[:, 2:, 1:-1] | padded[:, :-2, 1:-1] | padded[:, 1:-1, 2:] | padded[:, 1:-1, :-2]
        reached |= near & is_open
        n_before, n_reached = n_reached, int(reached.sum())
        if n_reached == n_before:
            return reached[:, [0, -1]].flatten(1).any(1) | reached[:, :, [0, -1]].flatten(1).any(1)


def _is_inner(cell: Int64[Tensor, " world"], spec: WorldSpec) -> Bool[Tensor, " world"]:
    x, y = cell // spec.height, cell % spec.height
    return (x > 0) & (x < spec.width - 1) & (y > 0) & (y < spec.height - 1)


def _can_be_entered(thing: Thing) -> bool:
    return thing.can_be_entered


def _can_be_carried(thing: Thing) -> bool:
    return thing.can_be_carried


def _fits_into_hands(thing: Thing) -> bool:
    return thing.can_be_carried or thing == EMPTY


def _is_wall(thing: Thing) -> bool:
    return thing.kind == "wall"


def _is_door(thing: Thing) -> bool:
    return thing.kind == "door"


def _is_landmark(thing: Thing) -> bool:
    return thing.can_be_carried or thing.kind == "door"


def _is_opaque(thing: Thing) -> bool:
    return thing.is_opaque
