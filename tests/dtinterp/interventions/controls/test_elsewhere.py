from dtinterp.interventions.controls.elsewhere import at_other_slots
from dtinterp.interventions.edits import edit_of
from dtinterp.interventions.slots import SlotOf


def test_every_other_slot_that_all_windows_have_is_tried(names) -> None:
    """Five frames stand in slots 5 to 9; the first of them is -5."""
    for slot, others in (("last", [-2, -3, -4, -5]), ("first", [-1, -2, -3, -4]), ({"time": 2}, [-1, -2, -4, -5])):
        edit = edit_of({"ablate": {"token": "whole"}, "at": {"site": "hook_obs_embed", "slot": slot}})
        variants = at_other_slots([edit], names.windows)
        assert [changed.at.slot for (changed,) in variants.values()] == [SlotOf(index=index) for index in others]
    everywhere = edit_of({"ablate": {"token": "whole"}, "at": {"site": "hook_obs_embed", "slot": "all"}})
    assert at_other_slots([everywhere], names.windows) == {}
