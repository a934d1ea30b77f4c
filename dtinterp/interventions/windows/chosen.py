"""Windows that were chosen for an intervention: what they show, what each is called, and what is true where it ends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor

from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.frame_table import ABSENT, FrameTable
from dtinterp.foundation.artefacts.soundness import require_equally_many
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.frames import encoded

Frame = UInt8[Tensor, "view view 3"]
Frames = UInt8[Tensor, "frame view view 3"]


@dataclass(frozen=True)
class ChosenWindows:
    """Windows over the subject's frame table, frames that it lacks behind it."""

    windows: Windows
    frames: Frames
    names: tuple[str, ...]
    """one a window"""
    facts: Int64[Tensor, "batch fact"]
    """the truth about the world at each window's newest frame; no columns where nobody recorded any"""
    fact_names: tuple[str, ...]
    n_items: int
    """how many numbers the model reads of a frame"""

    def __post_init__(self) -> None:
        """Refuse an empty choice, and names or facts of other windows."""
        if not self.names:
            raise UserError("no window is left: choose others, or ask less of their facts.")
        require_equally_many(windows=len(self.windows), names=len(self.names), facts=len(self.facts))

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.names)

    @cached_property
    def items(self) -> Float32[Tensor, "frame item"]:
        """The frame table, coded as the model reads it."""
        return encoded(self.frames, self.n_items)

    def fact(self, name: str) -> Int64[Tensor, " batch"]:
        """Return a fact of each window's newest frame. Raises `UserError` for one that nobody recorded."""
        return self.facts[:, place_of_fact(name, self.fact_names)]

    def only(self, chosen: Bool[Tensor, " batch"]) -> "ChosenWindows":
        """Return some of the windows. Raises `UserError` where none is left."""
        names = tuple(name for name, is_chosen in zip(self.names, chosen.tolist(), strict=True) if is_chosen)
        if not names:
            raise UserError("no window is left: choose others, or ask less of their facts.")
        return replace(self, windows=self.windows[chosen], names=names, facts=self.facts[chosen])

    @property
    def shown(self) -> UInt8[Tensor, "batch slot view view 3"]:
        """The frame in each slot; in pads the table's first."""
        return self.frames[self.windows.frame_id]

    def showing(self, shown: UInt8[Tensor, "batch slot view view 3"]) -> "ChosenWindows":
        """Return the same windows with other frames; those of the table keep their numbers, new ones go behind it."""
        mask, frame_id = self.windows.mask, self.windows.frame_id.clone()
        frames, frame_id[mask] = interned(self.frames, shown[mask])
        return replace(self, windows=replace(self.windows, frame_id=frame_id), frames=frames)

    def over(self, frames: Frames) -> "ChosenWindows":
        """Return the same windows over another table, with the frames that it lacks behind it."""
        return replace(self, frames=frames, windows=self._at_start).showing(self.shown)

    @property
    def _at_start(self) -> Windows:
        return replace(self.windows, frame_id=torch.zeros_like(self.windows.frame_id))


def interned(
    frames: Frames, shown: UInt8[Tensor, "shown view view 3"]
) -> tuple[UInt8[Tensor, "row view view 3"], Int64[Tensor, " shown"]]:
    """Return a table that holds the frames that are shown, new ones behind, and the row of each."""
    new = shown[FrameTable(frames).find(shown) == ABSENT]
    table = torch.cat([frames, new.unique(dim=0)]) if len(new) else frames
    return table, FrameTable(table).find(shown)


def place_of_fact(name: str, known: Sequence[str]) -> int:
    """Return the column of a fact. Raises `UserError` for one that nobody recorded."""
    if name not in known:
        raise UserError(f"the fact is {name!r}, expected one of {', '.join(known) or 'none'}: name a recorded fact.")
    return known.index(name)
