"""Which tokens of a window are meant: their kind, and the slots: the first frame, the newest, one by number or time."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

import torch
from jaxtyping import Bool, Int64
from pydantic import Field, StrictInt, model_validator
from torch import Tensor

from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.specifications import Data
from dtinterp.model.config import ModelConfig

ABSENT = -1
"""The number of a slot that a window does not have."""

TokenKind: TypeAlias = Literal["observation", "return", "action"]
"""Which of a slot's tokens; a window has no action token in its last slot."""

SlotChoice: TypeAlias = Callable[[Windows], Bool[Tensor, "batch slot"]]
"""Names slots of each window; a slot that is no part of a window is none of them."""


def first_frame(windows: Windows) -> Bool[Tensor, "batch slot"]:
    """Choose the slot of each episode's first frame (env time 0), none once it has left the window."""
    return windows.mask & (windows.time == 0)


def last_frame(windows: Windows) -> Bool[Tensor, "batch slot"]:
    """Choose the slot of the newest frame, none in a window that is all padding."""
    is_last = torch.arange(windows.n_slots, device=windows.mask.device) == windows.n_slots - 1
    return windows.mask & is_last


def every_frame(windows: Windows) -> Bool[Tensor, "batch slot"]:
    """Choose every real slot."""
    return windows.mask


def slot_number(chosen: Bool[Tensor, "batch slot"]) -> Int64[Tensor, " batch"]:
    """Return the first slot that is chosen in each window, counted from 0; `ABSENT` where none is."""
    return torch.where(chosen.any(dim=1), chosen.int().argmax(dim=1), ABSENT)


def frame_at_time(time: int) -> SlotChoice:
    """Return the choice of the slot with an env time."""

    def choose(windows: Windows) -> Bool[Tensor, "batch slot"]:
        return windows.mask & (windows.time == time)

    return choose


def numbered_slot(index: int) -> SlotChoice:
    """Return the choice of a slot by its number, from 0 at the left or from -1 at the right."""

    def choose(windows: Windows) -> Bool[Tensor, "batch slot"]:
        place = index + windows.n_slots if index < 0 else index
        return windows.mask & (torch.arange(windows.n_slots, device=windows.mask.device) == place)

    return choose


class SlotOf(Data):
    """One slot of each window."""

    time: Annotated[StrictInt, Field(ge=0)] | None = None
    """the one with this environment time"""
    index: StrictInt | None = None
    """or the one with this number, counted from 0 at the left, or from -1 at the right"""

    @model_validator(mode="after")
    def _is_one(self) -> "SlotOf":
        if (self.time is None) == (self.index is None):
            raise ValueError("a slot is named by its time or by its index, one of them")
        return self


SlotName: TypeAlias = Literal["first", "last", "all"] | SlotOf


def slots_of(name: SlotName) -> SlotChoice:
    """Return the choice of slots that a name stands for."""
    match name:
        case SlotOf(time=int(time)):
            return frame_at_time(time)
        case SlotOf(index=int(index)):
            return numbered_slot(index)
        case "first":
            return first_frame
        case "all":
            return every_frame
        case _:
            return last_frame


def tokens_of(config: ModelConfig, kind: TokenKind) -> slice:
    """Return where a model's sequence has its tokens of a kind. Raises `UserError` where it has none."""
    kinds = ("return", "observation", "action")[-config.tokens_per_slot :]
    if kind not in kinds:
        raise UserError(f"the token is {kind!r}, expected one of {', '.join(kinds)}: this model has no others.")
    return slice(kinds.index(kind), None, config.tokens_per_slot)
