"""States into facts: the variables that a world's task turns on, and what of them can be seen."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int16, Int32, Int64
from minigrid.core.constants import OBJECT_TO_IDX, STATE_TO_IDX
from torch import Tensor

from environments.facts import CARRIED, FACTS
from environments.grid.cells import Thing, cell_of_code, code_of, codes_of
from environments.grid.observation import cells_in_view, look, pitch_of
from environments.grid.rules import DoneBeside, Fetch, MatchMemory, OpenDoor, OpenRedThenBlue, PickUpTarget, PutNear
from environments.grid.state import State
from environments.grid.world_spec import WorldSpec

_KINDS_IN_VIEW = ("door", "key", "ball", "box", "goal", "lava")

_SHARED = (
    "x",
    "y",
    "direction",
    "carrying",
    "carrying_colour",
    "target",
    "target_colour",
    "target_x",
    "target_y",
    "target_visible",
    *(f"{kind}_visible" for kind in _KINDS_IN_VIEW),
)

_OWN: dict[type, tuple[str, ...]] = {
    PutNear: ("mover", "mover_colour"),
    OpenRedThenBlue: ("red_is_open",),
    OpenDoor: ("door_is_locked",),
}


def fact_names(spec: WorldSpec) -> tuple[str, ...]:
    """Return the names of a world's facts; `time` comes last.

    In the memory family they are `environments.facts.FACTS`. Elsewhere: the agent's cell and direction; the kind and
    colour of what it carries; kind, colour, cell and visibility of the target (what must be reached, fetched, opened or
    put beside); how many things of each kind are in sight; and what only one family has.
    """
    if isinstance(spec.rule, MatchMemory):
        return FACTS
    return (*_SHARED, *_OWN.get(type(spec.rule), ()), "time")


def facts_of_states(state: State, spec: WorldSpec) -> Int16[Tensor, "world fact"]:
    """Return the facts of each world, in the order of `fact_names`.

    Coordinates are grid cells, y growing southwards; -1 where the target lies nowhere. Where the rule names a cell,
    they and the visibility are that cell's, though the target may have been carried off. An object that is carried
    counts as visible, since the frame shows it. Kinds and colours are numbered as `environments.facts.FACT_VALUES` has
    them. The instruction of a memory task is what its targets make it, whatever an edit put into the starting room.
    """
    sight = _sight(look(state, spec), state, spec)
    if isinstance(spec.rule, MatchMemory):
        columns = _memory_columns(state, sight, spec)
    else:
        columns = {**_shared_columns(state, sight, spec), **_own_columns(state, spec)}
    columns["time"] = state.time
    return torch.stack([columns[name].to(torch.int16) for name in fact_names(spec)], dim=1)


def target_is_visible(cells: Int32[Tensor, "world slot"], state: State, spec: WorldSpec) -> Bool[Tensor, " world"]:
    """Return whether the target, in the memory family the instruction, is among the cells that `look` returned."""
    sight = _sight(cells, state, spec)
    if isinstance(spec.rule, MatchMemory):
        return _instruction_is_visible(sight, _fork(state, spec))
    return _target(state, sight, spec).is_visible


@dataclass(frozen=True)
class _Sight:
    """What is in view, and where in the grid that is."""

    cells: Int32[Tensor, "world seen"]
    grid_cell: Int64[Tensor, "world seen"]


def _sight(cells: Int32[Tensor, "world slot"], state: State, spec: WorldSpec) -> _Sight:
    """Return the slots that are cells of the view, as one row per world."""
    view, pitch = spec.view, pitch_of(spec.view)
    grid_cell = cells_in_view(spec, cells.device).index_select(0, state.position * 4 + state.direction)
    kept = [tensor.unflatten(1, (view, pitch))[:, :, :view].flatten(1) for tensor in (cells, grid_cell)]
    return _Sight(*kept)


def _kind(cells: Int32[Tensor, "*shape"]) -> Int32[Tensor, "*shape"]:
    return cells & 0xFF


def _colour(cells: Int32[Tensor, "*shape"]) -> Int32[Tensor, "*shape"]:
    return (cells >> 8) & 0xFF


def _door_state(cells: Int32[Tensor, "*shape"]) -> Int32[Tensor, "*shape"]:
    return (cells >> 16) & 0xFF


@dataclass(frozen=True)
class _Fork:
    """The cells of the two targets of a memory task, which nobody can move."""

    top: Int64[Tensor, " world"]
    bottom: Int64[Tensor, " world"]
    is_top_correct: Bool[Tensor, " world"]


def _fork(state: State, spec: WorldSpec) -> _Fork:
    success, failure, _ = state.parameters.unbind(1)
    is_top_correct = success % spec.height < spec.height // 2
    upper, lower = torch.where(is_top_correct, success, failure), torch.where(is_top_correct, failure, success)
    return _Fork(top=upper - 1, bottom=lower + 1, is_top_correct=is_top_correct)


def _instruction_is_visible(sight: _Sight, fork: _Fork) -> Bool[Tensor, " world"]:
    kind = _kind(sight.cells)
    is_object = (kind == OBJECT_TO_IDX["key"]) | (kind == OBJECT_TO_IDX["ball"])
    is_target = (sight.grid_cell == fork.top[:, None]) | (sight.grid_cell == fork.bottom[:, None])
    return (is_object & ~is_target).any(1)


def _memory_columns(state: State, sight: _Sight, spec: WorldSpec) -> dict[str, Tensor]:
    """Return the columns that `environments.facts.facts_of` gives for MiniGrid's own environment, time aside."""
    fork = _fork(state, spec)
    top_is_ball, bottom_is_ball = (_kind(_at(state, cell)) == OBJECT_TO_IDX["ball"] for cell in (fork.top, fork.bottom))
    kind = _kind(sight.cells)
    return {
        "instruction": torch.where(fork.is_top_correct, top_is_ball, bottom_is_ball),
        "top_target": top_is_ball,
        "correct_turn": ~fork.is_top_correct,
        "x": state.position // spec.height,
        "y": state.position % spec.height,
        "direction": state.direction,
        "carrying": _carried_kind(state),
        "instruction_visible": _instruction_is_visible(sight, fork),
        "keys_visible": (kind == OBJECT_TO_IDX["key"]).sum(1),
        "balls_visible": (kind == OBJECT_TO_IDX["ball"]).sum(1),
    }


def _shared_columns(state: State, sight: _Sight, spec: WorldSpec) -> dict[str, Tensor]:
    held = _carried_kind(state)
    target = _target(state, sight, spec)
    is_somewhere = target.cell >= 0
    return {
        "x": state.position // spec.height,
        "y": state.position % spec.height,
        "direction": state.direction,
        "carrying": held,
        "carrying_colour": torch.where(held > 0, 1 + _colour(_carried(state)), 0),
        "target": _kind(target.looks),
        "target_colour": _colour(target.looks),
        "target_x": torch.where(is_somewhere, target.cell // spec.height, -1),
        "target_y": torch.where(is_somewhere, target.cell % spec.height, -1),
        "target_visible": target.is_visible,
        **{f"{kind}_visible": (_kind(sight.cells) == OBJECT_TO_IDX[kind]).sum(1) for kind in _KINDS_IN_VIEW},
    }


@dataclass(frozen=True)
class _Target:
    cell: Int64[Tensor, " world"]
    """-1 where it lies in no cell."""
    looks: Int32[Tensor, " world"]
    """Its cell value, of which kind and colour matter."""
    is_visible: Bool[Tensor, " world"]


def _target(state: State, sight: _Sight, spec: WorldSpec) -> _Target:
    """Return the target of each world: a cell where the rule names one, else the things that look like it."""
    first, second, third = state.parameters.unbind(1)
    match spec.rule:
        case DoneBeside():
            return _target_at(first, _cell_value(second), sight)
        case PutNear():
            return _target_at(second, _cell_value(third), sight)
        case OpenRedThenBlue():
            return _target_at(second, _at(state, second), sight)
        case OpenDoor():
            return _target_at(first, _at(state, first), sight)
        case Fetch() | PickUpTarget():
            return _target_like(first, state, sight)
    return _target_like(torch.full_like(first, code_of(Thing("goal", "green"))), state, sight)


def _target_at(cell: Int64[Tensor, " world"], looks: Int32[Tensor, " world"], sight: _Sight) -> _Target:
    is_shown = (sight.grid_cell == cell[:, None]) & (sight.cells != 0)
    return _Target(cell, looks, is_shown.any(1))


def _target_like(wanted: Int64[Tensor, " world"], state: State, sight: _Sight) -> _Target:
    lies_there = codes_of(state.grid) == wanted[:, None]
    cell = torch.where(lies_there.any(1), lies_there.int().argmax(1), -1)
    is_seen = (codes_of(sight.cells) == wanted[:, None]) & (sight.cells != 0)
    return _Target(cell, _cell_value(wanted), is_seen.any(1))


def _own_columns(state: State, spec: WorldSpec) -> dict[str, Tensor]:
    first = state.parameters[:, 0]
    match spec.rule:
        case PutNear():
            looks = _cell_value(first)
            return {"mover": _kind(looks), "mover_colour": _colour(looks)}
        case OpenRedThenBlue():
            return {"red_is_open": _door_state(_at(state, first)) == STATE_TO_IDX["open"]}
        case OpenDoor():
            return {"door_is_locked": _door_state(_at(state, first)) == STATE_TO_IDX["locked"]}
    return {}


def _at(state: State, cell: Int64[Tensor, " world"]) -> Int32[Tensor, " world"]:
    return state.grid.gather(1, cell[:, None])[:, 0]


def _carried(state: State) -> Int32[Tensor, " world"]:
    return _cell_value(state.hand)


def _carried_kind(state: State) -> Int32[Tensor, " world"]:
    """Return the place in CARRIED of what each agent holds."""
    kind = _kind(_carried(state))
    place = torch.zeros_like(kind)
    for number, name in enumerate(CARRIED[1:], start=1):
        place += number * (kind == OBJECT_TO_IDX[name])
    return place


def _cell_value(code: Tensor) -> Int32[Tensor, " world"]:
    return cell_of_code(code.device).index_select(0, code)
