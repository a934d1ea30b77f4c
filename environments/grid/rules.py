"""The moment after an action into a verdict: whether the episode is over, and whether it ended well.

Each rule is one of MiniGrid's own `step` methods. What differs between layouts, such as the cell of a target, stands in
a few numbers per world, its parameters; each rule says what they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import ClassVar

import torch
from jaxtyping import Bool, Int32, Int64
from minigrid.core.actions import Actions
from torch import Tensor

from environments.grid.cells import COLOURS, N_CODES, Thing, cell_of_code, code_of, codes_of
from environments.grid.interaction import GOAL, NO_EVENT

N_PARAMETERS = 3
"""Numbers per world that a rule can use; those that it does not use are 0."""


class Parameter(Enum):
    """What one of a rule's parameters is."""

    CELL = "a cell"
    END = "a cell inside the outer wall that is no wall itself"
    DOOR = "the cell of a door"
    THING = "the code of a thing to carry"
    LANDMARK = "the code of a door or of a thing to carry"


@dataclass(frozen=True)
class ReachGoal:
    """Stepping onto a goal pays, stepping onto lava ends the episode. No parameters."""

    parameters: ClassVar[tuple[Parameter, ...]] = ()


@dataclass(frozen=True)
class MatchMemory:
    """Standing on the success cell pays, on the failure cell does not. Parameters: these two cells."""

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter.END, Parameter.END)
    pickup_toggles: bool
    """Whether pickup does what toggle does, as in MiniGrid's own class."""


@dataclass(frozen=True)
class DoneBeside:
    """`done` ends the episode and pays beside the target, `toggle` ends it.

    Parameters: the target's cell, which stays when the target is carried off, and its code.
    """

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter.CELL, Parameter.LANDMARK)


@dataclass(frozen=True)
class Fetch:
    """Carrying anything ends the episode; it pays if it is the target. Parameters: the target's code."""

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter.THING,)


@dataclass(frozen=True)
class PutNear:
    """Dropping the right object near the target pays; a wrong object, or a drop elsewhere, ends the episode.

    Parameters: the code of the object to move, the cell near which it belongs, the code of the target there.
    """

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter.THING, Parameter.CELL, Parameter.THING)


@dataclass(frozen=True)
class OpenRedThenBlue:
    """Opening the blue door ends the episode and pays if the red one was open. Parameters: cells of red and blue."""

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter.DOOR, Parameter.DOOR)


@dataclass(frozen=True)
class OpenDoor:
    """Toggling while the door is open, or so that it opens, pays. Parameters: the door's cell."""

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter.DOOR,)


@dataclass(frozen=True)
class PickUpTarget:
    """Picking the target up pays. Parameters: its code, which nothing else in the layout has."""

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter.THING,)


Rule = ReachGoal | MatchMemory | DoneBeside | Fetch | PutNear | OpenRedThenBlue | OpenDoor | PickUpTarget
"""When episodes end and which endings pay."""


def parameter_row(rule: Rule, numbers: Sequence[int]) -> Int64[Tensor, "1 parameter"]:
    """Return the parameters of one world. Raises ValueError for another number of them than the rule goes by."""
    wanted = rule.parameters
    if len(numbers) != len(wanted):
        kinds = f": {', '.join(kind.value for kind in wanted)}" if wanted else ""
        raise ValueError(
            f"{len(numbers)} parameters were given, and {type(rule).__name__} goes by {len(wanted)}{kinds}."
        )
    return torch.tensor([[*numbers, *[0] * (N_PARAMETERS - len(numbers))]], dtype=torch.int64)


@dataclass(frozen=True)
class Moment:
    """What a rule can look at: the action, and the worlds before and after it."""

    action: Int64[Tensor, " world"]
    parameters: Int64[Tensor, "world parameter"]
    event: Int32[Tensor, " world"]
    """What the agent stepped on."""
    position: Int64[Tensor, " world"]
    """The agent's cell, after the action."""
    front: Int64[Tensor, " world"]
    """The cell that the agent faced before the action."""
    front_code_before: Int32[Tensor, " world"]
    hand_before: Int32[Tensor, " world"]
    """Codes of what was carried before; 0 is nothing."""
    hand: Int32[Tensor, " world"]
    """Codes of what is carried now."""
    grid: Int32[Tensor, "world cell"]
    """Cells after the action."""
    height: int


@dataclass(frozen=True)
class Ending:
    """Which episodes the rule ends, and which of these succeed. An episode succeeds only where it terminates."""

    terminated: Bool[Tensor, " world"]
    success: Bool[Tensor, " world"]


def check_ending(rule: Rule, moment: Moment) -> Ending:
    """Return how the moment ends: goals and lava count in every world, and the rule has the last word."""
    reached = Ending(moment.event != NO_EVENT, moment.event == GOAL)
    ruled = _check_rule(rule, moment)
    return Ending(
        terminated=reached.terminated | ruled.terminated,
        success=ruled.success | (reached.success & ~ruled.terminated),
    )


def _check_rule(rule: Rule, moment: Moment) -> Ending:
    match rule:
        case ReachGoal():
            never = torch.zeros_like(moment.event, dtype=torch.bool)
            return Ending(never, never)
        case MatchMemory():
            return _check_memory(moment)
        case DoneBeside():
            return _check_done(moment)
        case Fetch():
            return Ending(moment.hand != 0, _look_alike(moment.hand, moment.parameters[:, 0]))
        case PutNear():
            return _check_put_near(moment)
        case OpenRedThenBlue():
            return _check_red_then_blue(moment)
        case OpenDoor() | PickUpTarget():
            return _check_target(rule, moment)


def _check_target(rule: OpenDoor | PickUpTarget, moment: Moment) -> Ending:
    target = moment.parameters[:, 0]
    if isinstance(rule, OpenDoor):
        succeeds = (moment.action == Actions.toggle) & _is_open(_code_at(moment, target))
    else:
        succeeds = (moment.action == Actions.pickup) & (moment.hand == target)
    return Ending(succeeds, succeeds)


def _check_memory(moment: Moment) -> Ending:
    success = moment.position == moment.parameters[:, 0]
    return Ending(success | (moment.position == moment.parameters[:, 1]), success)


def _check_done(moment: Moment) -> Ending:
    distance_x, distance_y = _distances(moment.position, moment.parameters[:, 0], moment.height)
    is_done = moment.action == Actions.done
    return Ending(is_done | (moment.action == Actions.toggle), is_done & (distance_x + distance_y == 1))


def _check_put_near(moment: Moment) -> Ending:
    mover, target, _ = moment.parameters.unbind(1)
    took_wrong = (moment.action == Actions.pickup) & (moment.hand != 0) & ~_look_alike(moment.hand, mover)
    dropped = (moment.action == Actions.drop) & (moment.hand_before != 0)
    distance_x, distance_y = _distances(moment.front, target, moment.height)
    is_near = (distance_x <= 1) & (distance_y <= 1)
    return Ending(took_wrong | dropped, dropped & (moment.hand == 0) & is_near)


def _check_red_then_blue(moment: Moment) -> Ending:
    red, blue, _ = moment.parameters.unbind(1)
    red_is_open, blue_is_open = _is_open(_code_at(moment, red)), _is_open(_code_at(moment, blue))
    red_was_open = torch.where(moment.front == red, _is_open(moment.front_code_before), red_is_open)
    blue_was_open = torch.where(moment.front == blue, _is_open(moment.front_code_before), blue_is_open)
    return Ending(blue_is_open | (red_is_open & blue_was_open), blue_is_open & red_was_open)


def _look_alike(code: Int32[Tensor, " world"], other: Int64[Tensor, " world"]) -> Bool[Tensor, " world"]:
    """Return whether two things have the same kind and colour; MiniGrid does not ask what is in a box."""
    shown = cell_of_code(code.device) & 0xFFFF
    return shown.index_select(0, code) == shown.index_select(0, other)


def _distances(
    cell: Int64[Tensor, " world"], other: Int64[Tensor, " world"], height: int
) -> tuple[Int64[Tensor, " world"], Int64[Tensor, " world"]]:
    """Return how far two cells are apart, along x and along y."""
    return (cell // height - other // height).abs(), (cell % height - other % height).abs()


def _code_at(moment: Moment, cell: Int64[Tensor, " world"]) -> Int32[Tensor, " world"]:
    return codes_of(moment.grid.gather(1, cell[:, None])[:, 0])


def _is_open(code: Int32[Tensor, " world"]) -> Bool[Tensor, " world"]:
    """Return whether these are codes of open doors."""
    return _open_doors(code.device).index_select(0, code)


@lru_cache
def _open_doors(device: torch.device) -> Bool[Tensor, " code"]:
    """Return for each code whether it is that of an open door."""
    is_open = torch.zeros(N_CODES, dtype=torch.bool)
    is_open[[code_of(Thing("door", colour)) for colour in COLOURS]] = True
    return is_open.to(device)
