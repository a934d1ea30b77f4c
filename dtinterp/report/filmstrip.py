"""A window or an episode becomes a strip of pictures, each with its env time and its action, or the word pad."""

from collections.abc import Callable
from typing import TypeAlias

from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.classes.certificates import WorstSwap
from dtinterp.report.evidence import plural
from dtinterp.report.html import Html, element, join
from environments.vocabulary import ACTIONS

Draw: TypeAlias = Callable[[int], Html]
"""Shows a frame, given as a row of the trajectories' table."""


def slot_name(windows: Windows, slot: int) -> str:
    """Return `slot 5 of 10 (t = 0, 4 pads)`, what a slot (from 0) of the one window given is called where it is named.

    A slot alone says little: which step it holds depends on how much of the window is padding.
    """
    pads = plural(int((~windows.mask[0]).sum()), "pad")
    return f"slot {slot + 1} of {windows.n_slots} (t = {int(windows.time[0, slot])}, {pads})"


def filmstrip(
    windows: Windows, draw: Draw, *, swap: WorstSwap | None = None, framed: int | None = None, note: str = ""
) -> Html:
    """Return the strip of the one window given.

    With `swap`, the stand-in lies under its slot and the decision is framed; with `framed`, that slot (from 0) is, and
    the note stands under it. The action of the last slot is what the model must say, so it stands in brackets. Raises
    ValueError for several windows.
    """
    if len(windows) != 1:
        raise ValueError(f"a strip shows 1 window, got {len(windows)}")
    notes = {} if framed is None else {framed: note}
    if swap is not None:
        notes |= {swap.decision: "decision that moved most"}
    slots = [_slot(windows, slot, draw, swap, notes.get(slot)) for slot in range(windows.n_slots)]
    return element("div", element("div", join(slots), class_="strip"), class_="scroll")


def episode_strip(trajectories: Trajectories, episode: int, draw: Draw, *, n_most: int = 20) -> Html:
    """Return the strip of a whole episode, or of its beginning where it takes more than `n_most` steps."""
    first = int(trajectories.length[:episode].sum())
    length = int(trajectories.length[episode])
    steps = range(first, first + min(length, n_most))
    shown = [_step(trajectories, step, step - first, draw) for step in steps]
    paid = float(trajectories.reward[first : first + length].sum())
    end = element("span", f"return {paid:.3f}" if length <= n_most else f"… {length} steps", class_="slot-note")
    return element(
        "div", element("div", join([*shown, element("div", end, class_="slot")]), class_="strip"), class_="scroll"
    )


def _step(trajectories: Trajectories, step: int, time: int, draw: Draw) -> Html:
    moment = element("span", f"t = {time}", class_="slot-time")
    said = element("span", ACTIONS[int(trajectories.action[step])], class_="slot-action")
    return element("div", moment, draw(int(trajectories.frame_id[step])), said, class_="slot")


def _slot(windows: Windows, slot: int, draw: Draw, swap: WorstSwap | None, note: str | None) -> Html:
    name = element("span", f"slot {slot + 1}", class_="slot-name")
    if not windows.mask[0, slot]:
        return element("div", name, element("div", "pad", class_="pad"), class_="slot is-pad")
    time = element("span", f"t = {int(windows.time[0, slot])}", class_="slot-time")
    action = ACTIONS[int(windows.action[0, slot])]
    said = element("span", f"({action})" if slot == windows.n_slots - 1 else action, class_="slot-action")
    parts = [name, time, draw(int(windows.frame_id[0, slot])), said]
    classes = ["slot"]
    if swap is not None and slot == swap.slot:
        classes.append("is-swapped")
        parts += [element("span", "⇅ swapped for", class_="slot-note"), draw(swap.stand_in)]
    if note is not None:
        classes.append("is-decision")
        parts.append(element("span", note, class_="slot-note"))
    return element("div", join(parts), class_=" ".join(classes))
