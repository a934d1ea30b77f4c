"""A window or an episode as a strip of pictures, each with its env time and its action, or the word pad."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from markupsafe import Markup

from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.classes.certificates import WorstSwap
from dtinterp.report.rendering import render
from dtinterp.report.words import plural
from environments.vocabulary import ACTIONS

Draw: TypeAlias = Callable[[int], Markup]
"""Shows a frame, given as a row of the trajectories' table."""


@dataclass(frozen=True)
class StripSlot:
    """One place of a strip."""

    name: str = ""
    is_pad: bool = False
    time: int | None = None
    """env time; None where nothing happened, as after the end of an episode"""
    frame: int = 0
    action: str = ""
    stand_in: int | None = None
    """the frame that it was swapped for"""
    note: str = ""
    is_decision: bool = False

    @property
    def classes(self) -> str:
        """Names for the style sheet."""
        marks = {"is-pad": self.is_pad, "is-swapped": self.stand_in is not None, "is-decision": self.is_decision}
        return " ".join(["slot", *(name for name, holds in marks.items() if holds)])


def filmstrip(slots: Sequence[StripSlot], draw: Draw) -> Markup:
    """Return the strip as markup."""
    return render("filmstrip.html", slots=slots, draw=draw)


def slot_name(windows: Windows, slot: int) -> str:
    """Return `slot 5 of 10 (t = 0, 4 pads)`, what a slot (from 0) of the one window given is called where it is named.

    A slot alone says little: which step it holds depends on how much of the window is padding.
    """
    pads = plural(int((~windows.mask[0]).sum()), "pad")
    return f"slot {slot + 1} of {windows.n_slots} (t = {int(windows.time[0, slot])}, {pads})"


def window_slots(
    windows: Windows, *, swap: WorstSwap | None = None, framed: int | None = None, note: str = ""
) -> list[StripSlot]:
    """Return the slots of the one window given.

    With `swap`, the stand-in lies under its slot and the decision is framed; with `framed`, that slot (from 0) is, and
    the note stands under it. The action of the last slot is what the model must say, so it stands in brackets. Raises
    ValueError for several windows.
    """
    if len(windows) != 1:
        raise ValueError(f"a strip shows 1 window, got {len(windows)}")
    notes = {} if framed is None else {framed: note}
    if swap is not None:
        notes |= {swap.decision: "decision that moved most"}
    return [_slot(windows, slot, swap, notes.get(slot)) for slot in range(windows.n_slots)]


def episode_slots(trajectories: Trajectories, episode: int, *, n_most: int = 20) -> list[StripSlot]:
    """Return the steps of a whole episode, or of its beginning where it takes more than `n_most`, and how it ends."""
    first = int(trajectories.length[:episode].sum())
    length = int(trajectories.length[episode])
    steps = range(first, first + min(length, n_most))
    frames, actions = trajectories.frame_id[steps].tolist(), trajectories.action[steps].tolist()
    paid = float(trajectories.reward[first : first + length].sum())
    shown = [
        StripSlot(time=time, frame=frame, action=ACTIONS[action])
        for time, (frame, action) in enumerate(zip(frames, actions, strict=True))
    ]
    return [*shown, StripSlot(note=f"return {paid:.3f}" if length <= n_most else f"… {length} steps")]


def _slot(windows: Windows, slot: int, swap: WorstSwap | None, note: str | None) -> StripSlot:
    name = f"slot {slot + 1}"
    if not windows.mask[0, slot]:
        return StripSlot(name, is_pad=True)
    action = ACTIONS[int(windows.action[0, slot])]
    return StripSlot(
        name,
        time=int(windows.time[0, slot]),
        frame=int(windows.frame_id[0, slot]),
        action=f"({action})" if slot == windows.n_slots - 1 else action,
        stand_in=swap.stand_in if swap is not None and slot == swap.slot else None,
        note=note or "",
        is_decision=note is not None,
    )
