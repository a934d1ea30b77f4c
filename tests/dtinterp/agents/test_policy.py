import torch

from dtinterp.agents.policy import PAD_ACTION, first_observation, next_observation
from environments.worlds import Outcome


def test_after_a_reset_every_world_begins():
    seen = first_observation(torch.tensor([4, 2]))
    assert seen.frame_id.tolist() == [4, 2]
    assert seen.is_first.tolist() == [True, True]
    assert seen.last_action.tolist() == [PAD_ACTION, PAD_ACTION]
    assert seen.last_reward.tolist() == [0.0, 0.0]


def test_where_an_episode_ended_the_next_one_begins_with_nothing_behind_it():
    outcome = Outcome(
        frame_id=torch.tensor([5, 6, 7]),
        reward=torch.tensor([0.5, 0.0, 0.25]),
        terminated=torch.tensor([True, False, False]),
        truncated=torch.tensor([False, True, False]),
        success=torch.tensor([True, False, False]),
    )
    seen = next_observation(outcome, torch.tensor([2, 3, 4]))
    assert seen.frame_id.tolist() == [5, 6, 7]
    assert seen.is_first.tolist() == [True, True, False]
    assert seen.last_action.tolist() == [PAD_ACTION, PAD_ACTION, 4]
    assert seen.last_reward.tolist() == [0.0, 0.0, 0.25]
