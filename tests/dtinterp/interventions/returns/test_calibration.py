from dataclasses import replace

import numpy as np
import pytest
import torch

from dtinterp.demonstrations.evaluate import Evaluation
from dtinterp.demonstrations.joining import join
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval
from dtinterp.interventions.returns import calibration as module
from dtinterp.interventions.returns.calibration import (
    Calibration,
    CalibrationPoint,
    Demand,
    Play,
    calibration_of,
    demands,
    extremes,
)


def achieved(share: float, low: float = 0.0, high: float = 1.0) -> Evaluation:
    interval = Interval(share, low, high, 10)
    return Evaluation(interval, interval, interval, interval, interval)


def test_each_return_asked_for_is_played_by_itself_and_in_order(model, trajectories, monkeypatch):
    asked = []

    def played(policy, *_, **__):
        asked.append(policy)
        return achieved(policy.target_return / 2)

    monkeypatch.setattr(module, "evaluate", played)
    points = calibration_of(model, Play(trajectories.env_id, Greedy(), n_episodes=2), (0.8, 0.0, 0.4))
    assert points == [CalibrationPoint(target, achieved(target / 2)) for target in (0.8, 0.0, 0.4)]
    assert all(policy.model is model and not policy.hooks for policy in asked)


@pytest.mark.parametrize("n_groups", [1, 3, 5])
def test_a_demand_holds_the_mean_returns_of_a_samplers_groups(trajectories, n_groups):
    asked = demands(trajectories, n_groups=n_groups)
    assert [demand.sampler for demand in asked] == list(trajectories.samplers)
    for index, demand in enumerate(asked):
        returns = sorted(trajectories.episode_return[trajectories.sampler == index].tolist())
        means = [round(float(np.mean(group, dtype=np.float64)), 3) for group in np.array_split(returns, n_groups)]
        assert list(demand.targets) == sorted(set(means))
        assert list(demand.shares) == [means.count(target) / n_groups for target in demand.targets]
        assert demand.env_id == trajectories.env_id


def test_what_is_demanded_is_what_was_achieved_on_average(trajectories):
    for index, demand in enumerate(demands(trajectories, n_groups=4)):
        mean = trajectories.episode_return[trajectories.sampler == index].double().mean().item()
        asked = sum(share * target for share, target in zip(demand.shares, demand.targets, strict=True))
        assert asked == pytest.approx(mean, abs=0.01)  # groups may differ by one episode


def test_each_world_of_a_mixture_has_its_own_demands(trajectories):
    other = replace(trajectories, env_id="another", reward=torch.zeros_like(trajectories.reward))
    asked = demands(join([trajectories, other]), n_groups=3)
    assert [demand.env_id for demand in asked] == [trajectories.env_id] * 2 + ["another"] * 2
    assert all(demand.targets == (0.0,) for demand in asked[2:])
    assert asked[:2] == demands(trajectories, n_groups=3)


def test_a_sampler_without_episodes_demands_nothing(trajectories):
    unused = replace(trajectories, samplers=(*trajectories.samplers, "greedy"))
    assert demands(unused, n_groups=2) == demands(trajectories, n_groups=2)


def test_no_groups_are_refused(trajectories):
    with pytest.raises(UserError, match="there are 0 groups of episodes"):
        demands(trajectories, n_groups=0)


def test_the_error_of_a_calibration_is_the_mean_distance_of_what_was_asked_for():
    demand = Demand("world", "greedy", targets=(0.2, 0.8), shares=(0.25, 0.75))
    points = (CalibrationPoint(0.2, achieved(0.3, 0.25, 0.4)), CalibrationPoint(0.8, achieved(0.6, 0.5, 0.9)))
    error = Calibration(demand, "greedy", points).error
    assert error.estimate == pytest.approx(0.25 * 0.1 + 0.75 * 0.2)
    assert error.low == pytest.approx(0.25 * 0.05 + 0.75 * 0.0)
    assert error.high == pytest.approx(0.25 * 0.2 + 0.75 * 0.3)
    assert error.n == 20


def point(target, share, paid):
    success, mean_return = Interval(share, 0.0, 1.0, 8), Interval(paid, 0.0, 1.0, 8)
    return CalibrationPoint(target, replace(achieved(share), success=success, mean_return=mean_return))


def test_extremes_are_the_lowest_return_and_the_most_success():
    shares = {0.5: 0.4, 0.9: 0.95, 0.0: 0.1, 0.95: 0.9}
    low, high = extremes([point(target, share, 0.5) for target, share in shares.items()])
    assert (low.target_return, high.target_return) == (0.0, 0.9)


def test_of_equal_success_the_best_return_is_told_for_the_least_asked():
    paid = {0.5: 0.5, 0.892: 0.892, 0.95: 0.892, 0.0: 0.0}
    low, high = extremes([point(target, 1.0, each) for target, each in paid.items()])
    assert (low.target_return, high.target_return) == (0.0, 0.892)
