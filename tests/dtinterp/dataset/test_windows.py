from dataclasses import fields, replace

import pytest
import torch

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import Windows, concatenate, window
from dtinterp.foundation.errors import UserError


def slow_window(trajectories, last, n_slots):
    """One window as a list of slots, each a dictionary, built by walking back from the last step."""
    first = int(trajectories.first_step[trajectories.episode[last]])
    end = first + int(trajectories.length[trajectories.episode[last]])
    slots = []
    for step in range(last - n_slots + 1, last + 1):
        if step < first:
            slots.append({"rtg": 0.0, "frame_id": 0, "action": PAD_ACTION, "time": 0, "mask": False, "step": -1})
            continue
        slots.append(
            {
                "rtg": sum(trajectories.reward[step:end].double().tolist()),
                "frame_id": int(trajectories.frame_id[step]),
                "action": int(trajectories.action[step]),
                "time": step - first,
                "mask": True,
                "step": step,
            }
        )
    return slots


@pytest.mark.parametrize("n_slots", [1, 2, 10, 60])
def test_windows_are_those_of_a_slow_loop(trajectories, n_slots):
    dense = replace(trajectories, reward=torch.linspace(-1, 1, trajectories.n_steps))
    ends = trajectories.first_step[1:4] - 1
    chosen = torch.cat([torch.tensor([0, 1, 8, 9, 10, trajectories.n_steps - 1]), ends, ends + 1])
    windows = window(dense, chosen, n_slots)
    assert (len(windows), windows.n_slots) == (len(chosen), n_slots)
    slow = [slow_window(dense, last, n_slots) for last in chosen.tolist()]
    for name in ("frame_id", "action", "time", "mask", "step"):
        assert getattr(windows, name).tolist() == [[slot[name] for slot in slots] for slots in slow]
    expected = torch.tensor([[slot["rtg"] for slot in slots] for slots in slow])
    torch.testing.assert_close(windows.rtg, expected, atol=1e-6, rtol=0)


def test_padding_is_on_the_left(trajectories):
    windows = window(trajectories, trajectories.first_step[:20] + 2)
    assert windows.mask.tolist() == [[False] * 7 + [True] * 3] * 20


def test_a_six_frame_episode_begins_at_the_fifth_slot(trajectories):
    first = trajectories.first_step[trajectories.length >= 6][:1]
    windows = window(trajectories, first + 5)
    assert int(windows.mask[0].int().argmax()) + 1 == 5
    assert windows.time[0].tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 4, 5]


def test_a_window_never_leaves_its_episode(trajectories):
    windows = window(trajectories, torch.arange(trajectories.n_steps))
    episode = torch.where(windows.mask, trajectories.episode[windows.step], trajectories.episode[:, None])
    assert (episode == trajectories.episode[:, None]).all()
    assert int(windows.mask.sum()) == int((trajectories.time + 1).clamp(max=10).sum())


def test_windows_hold_nothing_of_the_facts(trajectories):
    scrambled = replace(trajectories, fact_table=torch.randint_like(trajectories.fact_table, 9))
    chosen = torch.arange(0, trajectories.n_steps, 97)
    ours, theirs = window(trajectories, chosen), window(scrambled, chosen)
    assert all(torch.equal(getattr(ours, field.name), getattr(theirs, field.name)) for field in fields(Windows))
    assert {field.name for field in fields(Windows)} == {"rtg", "frame_id", "action", "time", "mask", "step"}


def test_windows_are_the_same_where_there_are_no_facts_at_all(trajectories):
    no_facts = {"fact_table": torch.empty(1, 0, dtype=torch.int16), "fact_id": torch.zeros_like(trajectories.fact_id)}
    chosen = torch.arange(0, trajectories.n_steps, 97)
    ours, theirs = window(trajectories, chosen), window(replace(trajectories, **no_facts, fact_names=()), chosen)
    assert all(torch.equal(getattr(ours, field.name), getattr(theirs, field.name)) for field in fields(Windows))


def test_the_facts_of_a_window_are_found_by_its_steps(trajectories):
    windows = window(trajectories, torch.arange(0, trajectories.n_steps, 97))
    time = trajectories.facts[windows.step[windows.mask], trajectories.fact_names.index("time")]
    assert torch.equal(time.long(), windows.time[windows.mask])


@pytest.mark.parametrize("step", [-1, 10**6])
def test_steps_outside_the_trajectories_are_refused(trajectories, step):
    with pytest.raises(ValueError, match=rf"steps run from .*{step}.*, expected 0 to {trajectories.n_steps - 1}"):
        window(trajectories, torch.tensor([0, step]))


def test_there_may_be_no_window(trajectories):
    assert len(window(trajectories, torch.zeros(0, dtype=torch.int64))) == 0


def test_pads_to_the_right_of_a_real_slot_are_refused(windows):
    with pytest.raises(ValueError, match="a pad to the right of a real slot, expected left padding only"):
        replace(windows, mask=windows.mask.flip(1))


def test_chosen_windows_are_stacked_back(windows):
    halves = concatenate([windows[:20], windows[torch.arange(20, 64)]])
    kept = windows[windows.mask[:, 0]]
    assert all(torch.equal(getattr(halves, field.name), getattr(windows, field.name)) for field in fields(Windows))
    assert kept.mask.all()
    assert len(kept) == int(windows.mask[:, 0].sum())


def test_no_windows_cannot_be_stacked():
    with pytest.raises(UserError, match="there are no windows to stack: choose at least one"):
        concatenate([])


def test_windows_move_to_a_device_whole(windows):
    moved = windows.to(torch.device("cpu"))
    assert all(torch.equal(getattr(moved, field.name), getattr(windows, field.name)) for field in fields(Windows))
