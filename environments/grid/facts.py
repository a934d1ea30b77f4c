"""Facts that every world has: the agent, what it carries, the target, and what of them is in view."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int32, Int64
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX
from torch import Tensor

from environments.grid.cells import cell_of_code, codes_of
from environments.grid.state import State

CARRIED: tuple[str, ...] = ("nothing", "key", "ball", "box")
"""What an agent can hold, by the number that the fact `carrying` has in every world."""
CARRIED_COLOURS: tuple[str, ...] = ("none", *COLOR_TO_IDX)
"""The colour of what it holds, by the number of the fact `carrying_colour`."""

NO_YES: tuple[str, ...] = ("no", "yes")
OBJECTS: tuple[str, ...] = tuple(OBJECT_TO_IDX)
OBJECT_COLOURS: tuple[str, ...] = tuple(COLOR_TO_IDX)

_KINDS_IN_VIEW = ("door", "key", "ball", "box", "goal", "lava")

SHARED_FACTS: tuple[str, ...] = (
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
"""The facts of a world whose family has none of its own."""

SHARED_FACT_VALUES: dict[str, tuple[str, ...]] = {
    "direction": ("east", "south", "west", "north"),
    "carrying": CARRIED,
    "carrying_colour": CARRIED_COLOURS,
    "target": OBJECTS,
    "target_colour": OBJECT_COLOURS,
    "target_visible": NO_YES,
}
"""What the numbers of those that are neither counts nor coordinates mean."""


@dataclass(frozen=True)
class SeenCells:
    """What is in view, and where in the grid that is."""

    cells: Int32[Tensor, "world seen"]
    """0 where a cell is not seen."""
    grid_cell: Int64[Tensor, "world seen"]
    height: int
    """Cells from one column of the grid to the next."""


@dataclass(frozen=True)
class Target:
    """What must be reached, fetched, opened or put beside."""

    cell: Int64[Tensor, " world"]
    """-1 where it lies in no cell."""
    looks: Int32[Tensor, " world"]
    """Its cell value, of which kind and colour matter."""
    is_visible: Bool[Tensor, " world"]


def target_at(cell: Int64[Tensor, " world"], looks: Int32[Tensor, " world"], seen: SeenCells) -> Target:
    """Return the target that the rule knows by its cell."""
    is_shown = (seen.grid_cell == cell[:, None]) & (seen.cells != 0)
    return Target(cell, looks, is_shown.any(1))


def target_like(wanted: Int64[Tensor, " world"], state: State, seen: SeenCells) -> Target:
    """Return the target that the rule knows by its code."""
    lies_there = codes_of(state.grid) == wanted[:, None]
    cell = torch.where(lies_there.any(1), lies_there.int().argmax(1), -1)
    is_seen = (codes_of(seen.cells) == wanted[:, None]) & (seen.cells != 0)
    return Target(cell, cell_value(wanted), is_seen.any(1))


def shared_facts(state: State, seen: SeenCells, target: Target) -> dict[str, Tensor]:
    """Return SHARED_FACTS by name; -1 is the place of a target that lies nowhere."""
    held = carried_kind(state)
    is_somewhere = target.cell >= 0
    return {
        "x": state.position // seen.height,
        "y": state.position % seen.height,
        "direction": state.direction,
        "carrying": held,
        "carrying_colour": torch.where(held > 0, 1 + colour_of(cell_value(state.hand)), 0),
        "target": kind_of(target.looks),
        "target_colour": colour_of(target.looks),
        "target_x": torch.where(is_somewhere, target.cell // seen.height, -1),
        "target_y": torch.where(is_somewhere, target.cell % seen.height, -1),
        "target_visible": target.is_visible,
        **{f"{kind}_visible": (kind_of(seen.cells) == OBJECT_TO_IDX[kind]).sum(1) for kind in _KINDS_IN_VIEW},
    }


def carried_kind(state: State) -> Int32[Tensor, " world"]:
    """Return the place in CARRIED of what each agent holds."""
    kind = kind_of(cell_value(state.hand))
    place = torch.zeros_like(kind)
    for number, name in enumerate(CARRIED[1:], start=1):
        place += number * (kind == OBJECT_TO_IDX[name])
    return place


def kind_of(cells: Int32[Tensor, "*shape"]) -> Int32[Tensor, "*shape"]:
    """Return MiniGrid's numbers of the objects in these cells."""
    return cells & 0xFF


def colour_of(cells: Int32[Tensor, "*shape"]) -> Int32[Tensor, "*shape"]:
    """Return MiniGrid's numbers of the colours in these cells."""
    return (cells >> 8) & 0xFF


def door_state_of(cells: Int32[Tensor, "*shape"]) -> Int32[Tensor, "*shape"]:
    """Return MiniGrid's numbers of the states of the doors in these cells."""
    return (cells >> 16) & 0xFF


def cell_value(code: Tensor) -> Int32[Tensor, " world"]:
    """Return the cells in which things of these codes lie."""
    return cell_of_code(code.device).index_select(0, code)


def cell_value_at(state: State, cell: Int64[Tensor, " world"]) -> Int32[Tensor, " world"]:
    """Return what is in one cell of each world."""
    return state.grid.gather(1, cell[:, None])[:, 0]
