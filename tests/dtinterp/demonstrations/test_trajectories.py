from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.errors import UserError


def made_of(lengths: list[int], reward: list[float]) -> Trajectories:
    n_steps = sum(lengths)
    return Trajectories(
        env_id="Made-v0",
        max_steps=50,
        frames=torch.zeros(1, 7, 7, 3, dtype=torch.uint8),
        frame_id=torch.zeros(n_steps, dtype=torch.int32),
        action=torch.zeros(n_steps, dtype=torch.int8),
        reward=torch.tensor(reward),
        fact_table=torch.zeros(1, 1, dtype=torch.int16),
        fact_id=torch.zeros(n_steps, dtype=torch.int32),
        length=torch.tensor(lengths, dtype=torch.int32),
        terminated=torch.ones(len(lengths), dtype=torch.bool),
        sampler=torch.zeros(len(lengths), dtype=torch.int8),
        fact_names=("time",),
        samplers=("greedy",),
    )


def slow_returns_to_go(trajectories: Trajectories) -> list[float]:
    remaining, rewards = [], trajectories.reward.double().tolist()
    start = 0
    for length in trajectories.length.tolist():
        remaining += [sum(rewards[step : start + length]) for step in range(start, start + length)]
        start += length
    return remaining


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=12), seed=st.integers(0, 100))
def test_the_return_to_go_sums_the_rewards_that_are_left(lengths, seed):
    reward = torch.randn(sum(lengths), generator=torch.Generator().manual_seed(seed)).tolist()
    trajectories = made_of(lengths, reward)
    expected = torch.tensor(slow_returns_to_go(trajectories))
    torch.testing.assert_close(trajectories.return_to_go, expected, atol=1e-6, rtol=0)


def test_the_return_to_go_is_the_final_reward_itself_where_nothing_else_is_paid(trajectories):
    last = trajectories.first_step + trajectories.length - 1
    assert torch.equal(trajectories.return_to_go, trajectories.reward[last][trajectories.episode])
    assert torch.equal(trajectories.episode_return, trajectories.reward[last])
    assert set(trajectories.return_to_go[~trajectories.terminated[trajectories.episode]].tolist()) == {0.0}


def test_steps_know_their_episode_and_their_time():
    trajectories = made_of([2, 1, 3], [0.0] * 6)
    assert trajectories.first_step.tolist() == [0, 2, 3]
    assert trajectories.episode.tolist() == [0, 0, 1, 2, 2, 2]
    assert trajectories.time.tolist() == [0, 1, 0, 0, 1, 2]
    assert (trajectories.n_episodes, trajectories.n_steps) == (3, 6)


def test_there_may_be_no_episode():
    trajectories = made_of([], [])
    assert len(trajectories.return_to_go) == len(trajectories.time) == len(trajectories.episode_return) == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"length": torch.tensor([2, 2], dtype=torch.int32)}, "episodes of 4 steps, but 3 steps are there"),
        ({"length": torch.tensor([3, 0], dtype=torch.int32)}, "length runs from 0 to 3, expected 1 to 50"),
        ({"max_steps": 1}, "length runs from 1 to 2, expected 1 to 1"),
        ({"frame_id": torch.ones(3, dtype=torch.int32)}, "frame_id runs from 1 to 1, expected 0 to 0"),
        ({"frame_id": -torch.ones(3, dtype=torch.int32)}, "frame_id runs from -1 to -1, expected 0 to 0"),
        ({"sampler": torch.tensor([0, 1], dtype=torch.int8)}, "sampler runs from 0 to 1, expected 0 to 0"),
        ({"action": torch.tensor([0, 7, 6], dtype=torch.int8)}, "action runs from 0 to 7, expected 0 to 6"),
        ({"action": -torch.ones(3, dtype=torch.int8)}, "action runs from -1 to -1, expected 0 to 6"),
        ({"fact_names": ("x", "time")}, "1 facts per step, but 2 names"),
    ],
)
def test_columns_that_contradict_each_other_are_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(made_of([2, 1], [0.0, 0.0, 1.0]), **change)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_reward_that_is_no_number_is_refused_with_its_place(bad):
    expected = rf"the reward is {bad} in episode 1 at step 2 \(counted from 0\), .*: 1 of 6 steps have none"
    with pytest.raises(UserError, match=expected):
        made_of([2, 3, 1], [0.0, 0.0, 0.0, 0.0, bad, 1.0])


def test_what_one_episode_earns_leaves_no_trace_in_another():
    alone = made_of([3], [0.1, 0.2, 0.3]).return_to_go
    beside = made_of([1, 3, 1], [3e30, 0.1, 0.2, 0.3, -3e30]).return_to_go
    assert torch.equal(beside[1:4], alone)
