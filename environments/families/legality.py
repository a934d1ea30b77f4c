"""States into a verdict on whether MiniGrid could be in them: where it could not, a sentence says why."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from jaxtyping import Bool, Int32, Int64
from torch import Tensor

from environments.grid.cells import EMPTY, N_CODES, THING_OF_CODE, WALL, Thing, cell_of_code, code_of, codes_of
from environments.grid.rules import N_PARAMETERS, DoneBeside, MatchMemory, Parameter, PickUpTarget
from environments.grid.state import State
from environments.grid.world_spec import WorldSpec


def require_legal(state: State, spec: WorldSpec) -> None:
    """Raise ValueError unless MiniGrid could be in each of these states, naming the first world that could not be.

    The grid has the spec's size and holds known things, walled in so that the agent cannot leave it; the agent
    stands on something that can be entered, faces one of four directions and carries nothing or something that can be
    carried; the time is within the limit; the rule's parameters are what the rule wants, the others are 0; the targets
    of a memory task lie beside its ends; and nothing looks like the target of a pick-up task but the target.
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


@dataclass(frozen=True)
class _Flaw:
    is_there: Bool[Tensor, " world"]
    sentence: Callable[[int], str]
    """What is wrong with a world in which it is there."""


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


def _flaws(state: State, spec: WorldSpec) -> Iterator[_Flaw]:
    """Yield what can be wrong, each with the worlds in which it is. What is out of range is read as if it were 0."""
    codes = codes_of(state.grid)
    yield from _flaws_of_grid(state, codes, spec)
    yield from _flaws_of_agent(state, codes, spec)
    for index in range(N_PARAMETERS):
        yield _flaw_of_parameter(index, state, codes, spec)
    if spec.rule.parameters in (2 * (Parameter.END,), 2 * (Parameter.DOOR,)):
        yield _Flaw(
            state.parameters[:, 0] == state.parameters[:, 1],
            lambda world: f"Both cells of {type(spec.rule).__name__} are {int(state.parameters[world, 0])}.",
        )
    if isinstance(spec.rule, MatchMemory):
        yield from _flaws_of_fork(state, codes, spec)
    if isinstance(spec.rule, PickUpTarget):
        yield _look_alikes(state, codes)


def _flaws_of_grid(state: State, codes: Int32[Tensor, "world cell"], spec: WorldSpec) -> Iterator[_Flaw]:
    is_unknown = cell_of_code(codes.device)[codes] != state.grid  # world cell

    def unknown(world: int) -> str:
        cell = int(is_unknown[world].int().argmax())
        held = int(state.grid[world, cell])
        return f"Cell {spec.place(cell)} holds {held}, which is nothing that MiniGrid has."

    yield _Flaw(is_unknown.any(1), unknown)
    yield _Flaw(
        codes[:, -1] != code_of(WALL),
        lambda _: "The last cell of a grid is the wall around it; the state has something else there.",
    )


def _flaws_of_agent(state: State, codes: Int32[Tensor, "world cell"], spec: WorldSpec) -> Iterator[_Flaw]:
    position, direction, hand, time = state.position, state.direction, state.hand, state.time
    last = spec.n_cells - 1
    yield _Flaw(
        (position < 0) | (position > last),
        lambda world: f"The agent is in cell {int(position[world])}; the cells are 0 to {last}.",
    )
    inside = _within(position, spec.n_cells)
    below = _at(codes, inside)

    def place(world: int) -> tuple[int, int]:
        return spec.place(int(inside[world]))

    yield _Flaw(
        ~_codes_of_things(_can_be_entered, codes.device)[below],
        lambda world: (
            f"The agent stands at {place(world)} on a {THING_OF_CODE[int(below[world])].kind}, which cannot be entered."
        ),
    )
    yield _Flaw(
        (direction < 0) | (direction > 3),
        lambda world: f"The agent's direction is {int(direction[world])}; directions are 0 to 3.",
    )
    yield _Flaw(
        ~_is_code_of(hand, _fits_into_hands),
        lambda world: (
            f"The agent carries {THING_OF_CODE.get(int(hand[world]), int(hand[world]))}, which cannot be carried."
        ),
    )
    yield _Flaw(
        (time < 0) | (time > spec.max_steps),
        lambda world: f"The time is {int(time[world])}; it runs from 0 to {spec.max_steps}.",
    )
    yield _Flaw(
        _can_leave(inside, codes, spec),
        lambda world: f"The agent at {place(world)} could walk out of the grid; wall it in.",
    )


def _flaw_of_parameter(index: int, state: State, codes: Int32[Tensor, "world cell"], spec: WorldSpec) -> _Flaw:
    number, wanted = state.parameters[:, index], spec.rule.parameters
    named = f"Parameter {index} of {type(spec.rule).__name__}"
    if index >= len(wanted):
        return _Flaw(number != 0, lambda world: f"{named} is {int(number[world])}; it is not used, and 0.")
    kind = wanted[index]
    if kind in (Parameter.THING, Parameter.LANDMARK):
        is_met = _is_code_of(number, _can_be_carried if kind == Parameter.THING else _is_landmark)
        return _Flaw(~is_met, lambda world: f"{named} is {int(number[world])}; it is {kind.value}.")
    inside = _within(number, spec.n_cells)
    is_met = number == inside
    if kind == Parameter.DOOR:
        is_met = is_met & _codes_of_things(_is_door, codes.device)[_at(codes, inside)]
    if kind == Parameter.END:
        is_met = is_met & ~_codes_of_things(_is_wall, codes.device)[_at(codes, inside)] & _is_inner(inside, spec)
    return _Flaw(
        ~is_met, lambda world: f"{named} is {int(number[world])}; it is {kind.value}, 0 to {spec.n_cells - 1}."
    )


def _flaws_of_fork(state: State, codes: Int32[Tensor, "world cell"], spec: WorldSpec) -> Iterator[_Flaw]:
    """Above the upper end and below the lower one lies a key or a ball, which nobody can move."""
    success, failure = (_within(state.parameters[:, index], spec.n_cells) for index in (0, 1))
    step_to_target = torch.where(success % spec.height < spec.height // 2, -1, 1)
    for target in (success + step_to_target, failure - step_to_target):
        is_target = _codes_of_things(_is_memory_target, codes.device)[_at(codes, _within(target, spec.n_cells))]

        def missing(world: int, target: Int64[Tensor, " world"] = target) -> str:
            place = spec.place(int(target[world]))
            return f"At {place}, beside an end of the fork, lies neither a key nor a ball; a target belongs there."

        yield _Flaw(~is_target, missing)


def _look_alikes(state: State, codes: Int32[Tensor, "world cell"]) -> _Flaw:
    """MiniGrid tells the target by identity and the twin by looks, so there may be one at most, in boxes too."""
    target = state.parameters[:, 0]
    held = torch.cat([codes, _within(state.hand, N_CODES)[:, None]], dim=1)  # world held
    inside = _contents(codes.device)[held]
    n_alike = ((held == target[:, None]) | (inside == target[:, None])).sum(1)
    return _Flaw(
        n_alike > 1,
        lambda world: (
            f"{int(n_alike[world])} objects look like the target, {THING_OF_CODE[int(target[world])]}; "
            "the twin tells objects by looks."
        ),
    )


def _can_leave(
    position: Int64[Tensor, " world"], codes: Int32[Tensor, "world cell"], spec: WorldSpec
) -> Bool[Tensor, " world"]:
    """Return whether everything but walls, opened at will, leaves a way from the agent to the border.

    In worlds of DoneBeside a toggle ends the episode, so their doors stay as they are.
    """
    blocks = _is_opaque if isinstance(spec.rule, DoneBeside) else _is_wall
    is_open = ~_codes_of_things(blocks, codes.device)[codes[:, :-1]]
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


def _within(number: Tensor, n: int) -> Int64[Tensor, " world"]:
    """Return the numbers that are 0 to n - 1, and 0 for the others, whose flaw has been told by then."""
    return torch.where((number >= 0) & (number < n), number, 0).long()


def _at(codes: Int32[Tensor, "world cell"], cell: Int64[Tensor, " world"]) -> Int32[Tensor, " world"]:
    return codes.gather(1, cell[:, None])[:, 0]


def _is_inner(cell: Int64[Tensor, " world"], spec: WorldSpec) -> Bool[Tensor, " world"]:
    x, y = cell // spec.height, cell % spec.height
    return (x > 0) & (x < spec.width - 1) & (y > 0) & (y < spec.height - 1)


def _is_code_of(number: Tensor, holds: Callable[[Thing], bool]) -> Bool[Tensor, " world"]:
    """Return whether these numbers are codes of things of which this holds."""
    code = _within(number, N_CODES)
    return (code == number) & _codes_of_things(holds, number.device)[code]


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


def _is_memory_target(thing: Thing) -> bool:
    return thing.kind in {"key", "ball"}


def _is_opaque(thing: Thing) -> bool:
    return thing.is_opaque


@lru_cache
def _codes_of_things(holds: Callable[[Thing], bool], device: torch.device) -> Bool[Tensor, " code"]:
    """Return for each code whether this holds of its thing; it holds of no code that is not in use."""
    return torch.tensor([code in THING_OF_CODE and holds(THING_OF_CODE[code]) for code in range(N_CODES)]).to(device)


@lru_cache
def _contents(device: torch.device) -> Int64[Tensor, " code"]:
    """Return for each code that of what is in the box, -1 where it is no box or an empty one."""
    inside = [-1] * N_CODES
    for code, thing in THING_OF_CODE.items():
        if thing.contents:
            inside[code] = code_of(thing.contents)
    return torch.tensor(inside).to(device)
