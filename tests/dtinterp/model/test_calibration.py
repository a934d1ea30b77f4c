from dtinterp.agents.items import FrameItems
from dtinterp.demonstrations.evaluate import Evaluation
from dtinterp.foundation.statistics import Interval
from dtinterp.model.calibration import CalibrationPoint, calibrate


def achieved(share: float) -> Evaluation:
    interval = Interval(share, 0.0, 1.0, 10)
    return Evaluation(interval, interval, interval, interval, interval)


def test_each_return_asked_for_is_judged_by_itself_and_in_order(model, trajectories):
    asked, items = [], FrameItems(trajectories)

    def judge(policy):
        asked.append(policy)
        return achieved(policy.target_return / 2)

    points = calibrate(model, items, targets=(0.8, 0.0, 0.4), judge=judge)
    assert points == [CalibrationPoint(target, achieved(target / 2)) for target in (0.8, 0.0, 0.4)]
    assert all(policy.model is model and policy.items is items and not policy.hooks for policy in asked)
