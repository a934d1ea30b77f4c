import pytest
import torch

from dtinterp.agents.episode_statistics import EpisodeStatistics
from dtinterp.agents.rollout import Rollout


def rollout_of(n_successes: int, n_episodes: int, *, n_steps: int = 4) -> Rollout:
    """A world per episode; all end in the last step, some with reward 0.5."""
    shape = (n_steps, n_episodes)
    is_last, success = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
    is_last[-1], success[-1, :n_successes] = True, True
    zeros, ids = torch.zeros(shape), torch.zeros(shape, dtype=torch.int64)
    return Rollout(
        frame_id=ids,
        is_first=is_last,
        action=ids,
        log_prob=zeros,
        value=zeros,
        value_after=zeros,
        reward=success * 0.5,
        is_last=is_last,
        success=success,
        memory=zeros.T.contiguous(),
    )


def test_the_last_rollout_is_told_from_the_latest_episodes():
    statistics = EpisodeStatistics()
    statistics.add(rollout_of(0, 10))
    statistics.add(rollout_of(15, 30, n_steps=8))
    assert statistics.last() == {"success": 0.5, "return": 0.25, "length": 8.0}
    assert statistics.latest() == {"success": 15 / 40, "return": 7.5 / 40, "length": 280 / 40}


def test_it_forgets_what_is_not_needed_for_two_thousand_episodes():
    statistics = EpisodeStatistics()
    for n_successes in (0, 0, 900, 1000):
        statistics.add(rollout_of(n_successes, 1000))
    assert statistics.n_episodes == 2000
    assert statistics.latest()["success"] == pytest.approx(0.95)


def test_a_mark_is_reached_only_once_there_are_enough_episodes():
    statistics = EpisodeStatistics()
    statistics.add(rollout_of(1000, 1000))
    assert not statistics.has_reached(0.9)
    statistics.add(rollout_of(1000, 1000))
    assert statistics.has_reached(0.9)
    assert statistics.has_reached(1.0)
    statistics.add(rollout_of(700, 1000))
    assert not statistics.has_reached(0.9)
    assert not statistics.has_reached(0.8)  # 85% of the latest, but 70% of the last rollout
    assert statistics.has_reached(0.7)
    assert not statistics.has_reached(None)


def test_a_rollout_in_which_no_episode_ends_has_no_success():
    statistics = EpisodeStatistics()
    empty = rollout_of(0, 4)
    empty.is_last.zero_()
    statistics.add(empty)
    assert statistics.last()["success"] == 0.0


def test_it_comes_back_as_it_was():
    statistics, other = EpisodeStatistics(), EpisodeStatistics()
    statistics.add(rollout_of(3, 5))
    other.load_state_dict(statistics.state_dict())
    assert other.latest() == statistics.latest()
