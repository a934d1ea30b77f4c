from dataclasses import replace

import pytest
import torch

from dtinterp.dataset.windows import window
from dtinterp.demonstrations.storage import save_trajectories
from dtinterp.foundation.errors import UserError


def test_an_episode_of_the_demonstrations_is_shown_step_by_step(choose, planted_subject):
    trajectories = planted_subject.trajectories
    chosen = choose("trajectory", episode=3)
    assert len(chosen) == int(trajectories.length[3])
    assert chosen.names[1] == "episode 3 time 1"
    step = int(trajectories.first_step[3]) + torch.arange(len(chosen))
    assert torch.equal(chosen.windows.frame_id, window(trajectories, step).frame_id)
    assert torch.equal(chosen.facts, trajectories.facts[step].long())


def test_another_recording_is_shown_over_the_subjects_table(choose, planted_subject, tmp_path):
    """Its own table has the frames the other way round."""
    trajectories, last = planted_subject.trajectories, len(planted_subject.trajectories.frames) - 1
    turned = replace(trajectories, frames=trajectories.frames.flip(0), frame_id=last - trajectories.frame_id)
    save_trajectories(tmp_path / "turned", turned, parent=planted_subject.demonstrations, seed=0)
    own, other = choose("trajectory", episode=0), choose("trajectory", episode=0, path=str(tmp_path / "turned"))
    assert torch.equal(other.frames, trajectories.frames)
    assert torch.equal(other.windows.frame_id, own.windows.frame_id)


def test_a_recording_of_another_world_is_refused(choose, planted_subject, tmp_path):
    elsewhere = replace(planted_subject.trajectories, env_id="MiniGrid-MemoryS7-v0")
    save_trajectories(tmp_path / "away", elsewhere, parent=planted_subject.demonstrations, seed=0)
    with pytest.raises(UserError, match="was recorded in MiniGrid-MemoryS7-v0, the model is of MiniGrid-MemoryS7Fix"):
        choose("trajectory", episode=0, path=str(tmp_path / "away"))


def test_an_episode_that_is_not_there_is_refused(choose, planted_subject):
    last = planted_subject.trajectories.n_episodes - 1
    with pytest.raises(UserError, match=f"the episode is {last + 1}, expected 0 to {last}"):
        choose("trajectory", episode=last + 1)
