import pytest
import torch

from dtinterp.dataset.windows import window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.classes.certificates import WorstSwap
from dtinterp.report.filmstrip import episode_slots, filmstrip, slot_name, window_slots
from environments.vocabulary import ACTIONS
from tests.dtinterp.report.conftest import draw


def _strip(trajectories: Trajectories, step: int, swap: WorstSwap | None = None) -> list[str]:
    """Return the markup of each slot."""
    strip = filmstrip(window_slots(window(trajectories, torch.tensor([step])), swap=swap), draw)
    return str(strip).split('<div class="slot')[1:]


def test_a_short_history_is_padded_on_the_left_and_every_pad_says_so(trajectories: Trajectories) -> None:
    slots = _strip(trajectories, 2)
    assert len(slots) == 10
    assert [">pad<" in slot for slot in slots] == [True] * 7 + [False] * 3


def test_a_slot_is_named_with_its_env_time_and_the_pads_before_it(trajectories: Trajectories) -> None:
    assert slot_name(window(trajectories, torch.tensor([2])), 8) == "slot 9 of 10 (t = 1, 7 pads)"
    last = int(trajectories.length[0]) - 1
    assert last >= 10, "the first episode fills a window"
    assert slot_name(window(trajectories, torch.tensor([last])), 0) == f"slot 1 of 10 (t = {last - 9}, 0 pads)"


def test_every_real_slot_says_its_number_env_time_frame_and_action(trajectories: Trajectories) -> None:
    slots = _strip(trajectories, 2)
    for step in range(3):
        slot = slots[7 + step]
        assert f">slot {8 + step}<" in slot
        assert f">t = {step}<" in slot
        assert f"<frame {int(trajectories.frame_id[step])}>" in slot


def test_the_action_that_the_model_must_say_stands_in_brackets(trajectories: Trajectories) -> None:
    *earlier, last = _strip(trajectories, 2)
    assert f">({ACTIONS[int(trajectories.action[2])]})<" in last
    assert not any(">(" in slot for slot in earlier)


def test_a_swap_shows_the_stand_in_at_its_slot_and_frames_the_decision(trajectories: Trajectories) -> None:
    swap = WorstSwap(frame=int(trajectories.frame_id[1]), stand_in=77, step=2, slot=8, decision=9, divergence=0.5)
    slots = _strip(trajectories, 2, swap)
    assert [place for place, slot in enumerate(slots) if "<frame 77>" in slot] == [8]
    assert [place for place, slot in enumerate(slots) if "is-decision" in slot] == [9]


def test_several_windows_are_refused(trajectories: Trajectories) -> None:
    with pytest.raises(ValueError, match="a strip shows 1 window, got 2"):
        window_slots(window(trajectories, torch.tensor([2, 3])))


def test_an_episode_shows_its_frames_times_and_actions_in_order_and_what_it_paid(trajectories: Trajectories) -> None:
    length = trajectories.length.tolist()
    episode = next(index for index, steps in enumerate(length) if index and steps <= 20)
    first = sum(length[:episode])
    *slots, end = filmstrip(episode_slots(trajectories, episode), draw).split('<div class="slot">')[1:]
    assert len(slots) == length[episode]
    for time, slot in enumerate(slots):
        assert f">t = {time}<" in slot
        assert f"<frame {int(trajectories.frame_id[first + time])}>" in slot
        assert f">{ACTIONS[int(trajectories.action[first + time])]}<" in slot
    assert f"return {float(trajectories.reward[first : first + len(slots)].sum()):.3f}" in end


def test_a_long_episode_is_cut_and_says_how_long_it_was(trajectories: Trajectories) -> None:
    episode = int(trajectories.length.argmax())
    *slots, end = filmstrip(episode_slots(trajectories, episode, n_most=3), draw).split('<div class="slot">')[1:]
    assert len(slots) == 3
    assert f"… {int(trajectories.length[episode])} steps" in end
