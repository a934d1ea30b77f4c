"""What can lie in one cell of a grid, as a code of eight bits and as a cell of 32 bits that is drawn from it.

A cell holds, from its lowest byte upwards, MiniGrid's object, colour and state, which are what a frame shows, and the
code. The highest bit of a code says that nobody sees through the thing, so an opaque cell is a negative number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Int32
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX
from minigrid.core.world_object import Box, Door, WorldObj
from torch import Tensor

N_CODES = 256
"""Codes are 0 to 255; not all of them are in use."""

FIRST_OPAQUE = 128
"""Codes from here on stand for things that block sight."""

CODE_SHIFT = 24
"""The code's lowest bit within a cell."""

COLOURS: tuple[str, ...] = tuple(COLOR_TO_IDX)


@dataclass(frozen=True)
class Thing:
    """What lies in one cell, or in the agent's hands; nothing at all is the kind `empty`."""

    kind: str
    """One of MiniGrid's objects."""
    colour: str = "red"
    state: str = "open"
    """Of a door: `open`, `closed` or `locked`; everything else is `open`, which MiniGrid writes as 0."""
    contents: "Thing | None" = None
    """What a box holds."""

    @property
    def is_opaque(self) -> bool:
        """Whether nobody can see behind it: a wall, or a door that is not open."""
        return self.kind == "wall" or (self.kind == "door" and self.state != "open")

    @property
    def can_be_entered(self) -> bool:
        """Whether the agent can stand on it."""
        return self.kind in {"empty", "floor", "goal", "lava"} or (self.kind == "door" and self.state == "open")

    @property
    def can_be_carried(self) -> bool:
        """Whether the agent can pick it up."""
        return self.kind in {"key", "ball", "box"}

    @property
    def channels(self) -> tuple[int, int, int]:
        """MiniGrid's numbers for object, colour and state, as a frame shows them."""
        return OBJECT_TO_IDX[self.kind], COLOR_TO_IDX[self.colour], STATE_TO_IDX[self.state]


EMPTY = Thing("empty")
WALL = Thing("wall", "grey")


def _transparent_things() -> Iterator[Thing]:
    yield EMPTY
    yield Thing("lava")
    for colour in COLOURS:
        yield from (Thing(kind, colour) for kind in ("floor", "goal", "door", "key", "ball", "box"))
    contents = [Thing(kind, colour) for kind in ("key", "ball") for colour in COLOURS]
    yield from (Thing("box", colour, contents=thing) for colour in COLOURS for thing in contents)


def _opaque_things() -> Iterator[Thing]:
    for colour in COLOURS:
        yield Thing("wall", colour)
        yield Thing("door", colour, "closed")
        yield Thing("door", colour, "locked")


THING_OF_CODE: dict[int, Thing] = {
    **dict(enumerate(_transparent_things())),
    **dict(enumerate(_opaque_things(), start=FIRST_OPAQUE)),
}
"""Everything that a cell can hold, by code; code 0 is the empty cell, and the empty hand."""

_CODE_OF_THING = {thing: code for code, thing in THING_OF_CODE.items()}


def code_of(thing: Thing) -> int:
    """Return the code of a thing. Raises ValueError for one that has none, such as a box in a box."""
    if thing not in _CODE_OF_THING:
        raise ValueError(
            f"{thing} has no code; a cell holds what MiniGrid has, and a box holds a key, a ball or nothing."
        )
    return _CODE_OF_THING[thing]


def thing_of(world_object: WorldObj | None) -> Thing:
    """Return what a MiniGrid object is, its identity aside."""
    if world_object is None:
        return EMPTY
    contents = thing_of(world_object.contains) if isinstance(world_object, Box) and world_object.contains else None
    return Thing(world_object.type, world_object.color, _state_of(world_object), contents)


def _state_of(world_object: WorldObj) -> str:
    if not isinstance(world_object, Door) or world_object.is_open:
        return "open"
    return "locked" if world_object.is_locked else "closed"


@lru_cache
def cell_of_code(device: torch.device) -> Int32[Tensor, " code"]:
    """Return the cell that each code is drawn as; codes that are not in use are drawn as unseen."""
    cells = [0] * N_CODES
    for code, thing in THING_OF_CODE.items():
        kind, colour, state = thing.channels
        cells[code] = kind | colour << 8 | state << 16 | code << CODE_SHIFT
    return torch.tensor(cells).to(torch.int32).to(device)


def codes_of(cells: Int32[Tensor, "*shape"]) -> Int32[Tensor, "*shape"]:
    """Return the codes of cells."""
    return (cells >> CODE_SHIFT) & (N_CODES - 1)
