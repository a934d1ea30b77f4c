"""Edits of frames that windows show: an object put into a cell, or moved to another."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import torch
from jaxtyping import Int64
from pydantic import Field, StrictInt, StrictStr, model_validator
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.specifications import Data
from dtinterp.interventions.windows.chosen import ChosenWindows, Frame
from dtinterp.interventions.windows.predicate import word_of
from environments.vocabulary import CHANNELS, VIEW

Coordinate = Annotated[StrictInt, Field(ge=0, lt=VIEW)]
Cell: TypeAlias = tuple[Coordinate, Coordinate]
"""A cell (x, y) of the view."""
Shown: TypeAlias = Literal["first", "last", "all"] | Annotated[StrictInt, Field(ge=0)]
"""Which frames of a window: the episode's first, the newest, all, or the one at an environment time."""

COMPLEMENT = {"key": "ball", "ball": "key"}
_RELATIVE = ("complement", "opposite")


class FrameEdit(Data):
    """One object put into a cell, or moved to another, in some frames of each window."""

    put: StrictStr | None = None
    """an object such as key; complement: a ball where the instruction is a key, and the other way round; or opposite: a
    ball where the cell shows a key, and the other way round"""
    colour: StrictStr | None = None
    """of what is put; none: the cell's colour stays as it is, as in the published experiments"""
    move: Cell | None = None
    """the cell whose object, colour and state are moved away; it is empty afterwards"""
    to: Cell
    """the cell that is written"""
    frame: Shown = "first"
    """in which frames"""

    @model_validator(mode="after")
    def _says_one_thing(self) -> "FrameEdit":
        if (self.put is None) == (self.move is None):
            raise ValueError("an edit puts an object or moves one: give either `put` or `move`")
        if self.put not in (None, *_RELATIVE, *CHANNELS[0]):
            known = ", ".join((*_RELATIVE, *CHANNELS[0]))
            raise ValueError(f"the object is {self.put!r}, expected one of {known}")
        if self.colour not in (None, *CHANNELS[1]):
            raise ValueError(f"the colour is {self.colour!r}, expected one of {', '.join(CHANNELS[1])}")
        if self.move is not None and self.colour is not None:
            raise ValueError("what is moved keeps its colour: leave `colour` out")
        return self

    @property
    def written(self) -> tuple[Cell, ...]:
        """The cells that it writes."""
        return (self.to,) if self.move is None else (self.move, self.to)

    def changed(self, frame: Frame, instruction: str | None) -> Frame:
        """Return the frame with the edit made; `instruction` is the window's, where its world has one."""
        edited = frame.clone()
        if self.move is not None:
            edited[*self.to] = frame[*self.move]
            edited[*self.move] = torch.tensor([CHANNELS[0].index("empty"), 0, 0], dtype=frame.dtype)
            return edited
        shown = instruction if self.put == "complement" else CHANNELS[0][int(frame[*self.to, 0])]
        thing = _other(self.put, shown) if self.put in _RELATIVE else self.put or ""
        return place(edited, self.to, thing, colour=self.colour)


def place(frame: Frame, cell: tuple[int, int], thing: str, *, colour: str | None = None) -> Frame:
    """Return the frame with the object at `cell` replaced by `thing`; colour, where none is given, and state stay.

    Raises `UserError` for a cell outside the view or an unknown object.
    """
    if not all(0 <= coordinate < len(frame) for coordinate in cell):
        raise UserError(f"the cell is {cell}, expected x and y from 0 to {len(frame) - 1}: choose a cell of the view.")
    if thing not in CHANNELS[0]:
        raise UserError(f"the object is {thing!r}, expected one of {', '.join(CHANNELS[0])}.")
    edited = frame.clone()
    edited[*cell, 0] = CHANNELS[0].index(thing)
    if colour is not None:
        edited[*cell, 1] = CHANNELS[1].index(colour)
    return edited


def edited(chosen: ChosenWindows, edits: Sequence[FrameEdit]) -> ChosenWindows:
    """Return the windows with their frames edited, in order; frames of the table keep their numbers.

    So a flipped instruction gives exactly the windows of the other configuration. Raises `UserError` where two edits
    write one cell, where a window lacks the frame, and where `complement` has no instruction to go by.
    """
    _require_apart(edits)
    shown = chosen.shown
    for edit in edits:
        for window in range(len(chosen)):
            instruction = _instruction(chosen, window)
            for slot in _slots(chosen, window, edit.frame):
                shown[window, slot] = edit.changed(shown[window, slot], instruction)
    return chosen.showing(shown) if edits else chosen


def _require_apart(edits: Sequence[FrameEdit]) -> None:
    writers: dict[tuple[Shown, Cell], list[FrameEdit]] = defaultdict(list)
    for edit in edits:
        for cell in edit.written:
            writers[edit.frame, cell].append(edit)
    twice = [(shown, cell) for (shown, cell), found in writers.items() if len(found) > 1]
    if twice:
        shown, (x, y) = twice[0]
        raise UserError(f"two edits write the cell ({x},{y}) of frame {shown}: keep one of them.")


def _slots(chosen: ChosenWindows, window: int, shown: Shown) -> list[int]:
    time, mask = chosen.windows.time[window], chosen.windows.mask[window]
    match shown:
        case "all":
            found = mask
        case "last":
            found = mask & (torch.arange(len(mask)) == len(mask) - 1)
        case _:
            found = mask & (time == (0 if shown == "first" else shown))
    slots: Int64[Tensor, " slot"] = found.nonzero()[:, 0]
    if not len(slots):
        times = time[mask].tolist()
        raise UserError(
            f"the window {chosen.names[window]} has no frame {shown}: it shows times {times[0]} to {times[-1]}."
        )
    return slots.tolist()


def _instruction(chosen: ChosenWindows, window: int) -> str | None:
    if "instruction" not in chosen.fact_names:
        return None
    return word_of("instruction", int(chosen.fact("instruction")[window]))


def _other(put: str | None, shown: str | None) -> str:
    if shown not in COMPLEMENT:
        where = "a world whose instruction is" if put == "complement" else "a cell that shows"
        raise UserError(f"`{put}` needs {where} a key or a ball, here it is {shown}: name the object instead.")
    return COMPLEMENT[shown]
