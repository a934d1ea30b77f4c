"""The same edit at other slots."""

from collections.abc import Sequence

from dtinterp.dataset.windows import Windows
from dtinterp.interventions.edits import AnyEdit
from dtinterp.interventions.slots import SlotOf, slots_of


def at_other_slots(edits: Sequence[AnyEdit], windows: Windows) -> dict[str, list[AnyEdit]]:
    """Return the edits, all at one other slot, for each slot that every window has; none where one is at all slots."""
    if any(each.at.slot == "all" for each in edits):
        return {}
    n_real = int(windows.mask.sum(dim=1).min())
    own = [slots_of(each.at.slot)(windows) for each in edits]
    variants = {}
    for index in range(-1, -n_real - 1, -1):
        slot = SlotOf(index=index)
        if any((slots_of(slot)(windows) & chosen).any() for chosen in own):
            continue
        moved = [each.model_copy(update={"at": each.at.model_copy(update={"slot": slot})}) for each in edits]
        variants[f"slot {index}"] = moved
    return variants
