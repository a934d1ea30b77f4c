import pytest
import torch

from dtinterp.agents.rollout import Rollout
from dtinterp.agents.tally import Tally


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
    tally = Tally()
    tally.add(rollout_of(0, 10))
    tally.add(rollout_of(15, 30, n_steps=8))
    assert tally.last() == {"success": 0.5, "return": 0.25, "length": 8.0}
    assert tally.latest() == {"success": 15 / 40, "return": 7.5 / 40, "length": 280 / 40}


def test_it_forgets_what_is_not_needed_for_two_thousand_episodes():
    tally = Tally()
    for n_successes in (0, 0, 900, 1000):
        tally.add(rollout_of(n_successes, 1000))
    assert tally.n_episodes == 2000
    assert tally.latest()["success"] == pytest.approx(0.95)


def test_a_mark_is_reached_only_once_there_are_enough_episodes():
    tally = Tally()
    tally.add(rollout_of(1000, 1000))
    assert not tally.has_reached(0.9)
    tally.add(rollout_of(1000, 1000))
    assert tally.has_reached(0.9)
    assert tally.has_reached(1.0)
    tally.add(rollout_of(700, 1000))
    assert not tally.has_reached(0.9)
    assert not tally.has_reached(0.8)  # 85% of the latest, but 70% of the last rollout
    assert tally.has_reached(0.7)
    assert not tally.has_reached(None)


def test_a_rollout_in_which_no_episode_ends_has_no_success():
    tally = Tally()
    empty = rollout_of(0, 4)
    empty.is_last.zero_()
    tally.add(empty)
    assert tally.last()["success"] == 0.0


def test_it_comes_back_as_it_was():
    tally, other = Tally(), Tally()
    tally.add(rollout_of(3, 5))
    other.load_state_dict(tally.state_dict())
    assert other.latest() == tally.latest()
