"""A model and the returns asked of it become the returns it achieves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dtinterp.agents.items import FrameItems
from dtinterp.demonstrations.evaluate import Evaluation
from dtinterp.model.policy import WindowPolicy
from dtinterp.model.transformer import DecisionTransformer

Judge = Callable[[WindowPolicy], Evaluation]
"""Plays episodes with a policy; the worlds, their starts and the sampler are the judge's."""


@dataclass(frozen=True)
class CalibrationPoint:
    """What a model does when asked for a return."""

    target_return: float
    evaluation: Evaluation


def calibrate(
    model: DecisionTransformer,
    items: FrameItems,
    *,
    targets: Sequence[float],
    judge: Judge,
) -> list[CalibrationPoint]:
    """Return one point per return asked for."""
    return [CalibrationPoint(target, judge(WindowPolicy(model, items, target_return=target))) for target in targets]
