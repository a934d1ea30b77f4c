"""Calibration of a model: the return it achieves for each return asked of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from pydantic import TypeAdapter

from dtinterp.agents.items import FrameItems
from dtinterp.demonstrations.evaluate import Evaluation
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import ArtefactKind
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import WindowPolicy

Judge = Callable[[WindowPolicy], Evaluation]
"""Plays episodes with a policy; the worlds, their starts and the sampler are the judge's."""


@dataclass(frozen=True)
class CalibrationPoint:
    """What a model does when asked for a return."""

    target_return: float
    """0 where the model is asked for nothing, since it clones behaviour"""
    evaluation: Evaluation


def achieved_returns(
    model: DecisionTransformer,
    items: FrameItems,
    *,
    targets: Sequence[float],
    judge: Judge,
) -> list[CalibrationPoint]:
    """Return one point per return asked for; a model that clones behaviour has one, since nothing is asked."""
    targets = targets if model.cfg.return_to_go else [0.0 for _ in targets[:1]]
    return [CalibrationPoint(target, judge(WindowPolicy(model, items, target_return=target))) for target in targets]


def recorded_calibration(model: Artefact) -> Mapping[str, Sequence[CalibrationPoint]]:
    """Return the calibration that a model's artefact records, by sampler; empty where it records none."""
    recorded = model.manifest.metrics.get("calibration", {})
    return TypeAdapter(dict[str, tuple[CalibrationPoint, ...]]).validate_python(recorded)


def extremes(points: Sequence[CalibrationPoint]) -> tuple[CalibrationPoint, CalibrationPoint]:
    """Return the point of the lowest return asked for, and the one at which the model does best.

    Best is most success, then the largest return, then the least asked for.
    """
    return min(points, key=lambda point: point.target_return), max(points, key=_merit)


def _merit(point: CalibrationPoint) -> tuple[float, float, float]:
    evaluation = point.evaluation
    return evaluation.success.estimate, round(evaluation.mean_return.estimate, 3), -point.target_return


@dataclass(frozen=True)
class Demand:
    """Returns that a sampler of the demonstrations achieved in a world, which a model can fairly be asked for."""

    env_id: str
    sampler: str
    targets: tuple[float, ...]
    """mean returns of equal groups of its episodes, from the worst group to the best; equal ones once"""
    shares: tuple[float, ...]
    """which part of its episodes each stands for"""


@dataclass(frozen=True)
class Calibration:
    """What a model achieves when asked for the returns of a demand."""

    demand: Demand
    acting: str
    """the sampler of the model's own actions"""
    points: tuple[CalibrationPoint, ...]

    @property
    def error(self) -> Interval:
        """How far the return achieved is from the one asked for, on average over the demonstrations' episodes.

        It lies between its bounds where each return achieved lies in its own interval; n counts episodes, 0 if none was
        played.
        """
        missed = [_distance(point) for point in self.points]
        estimate, low, high = (
            sum(share * each for share, each in zip(self.demand.shares, column, strict=True))
            for column in zip(*missed, strict=True)
        )
        return Interval(estimate, low, high, n=sum(point.evaluation.mean_return.n for point in self.points))


@dataclass(frozen=True)
class CalibrationStudy:
    """What a model achieves in each world, each way of acting apart."""

    calibrations: tuple[Calibration, ...]


CALIBRATION = ArtefactKind("calibration", CalibrationStudy, places={"": "metrics"})


def _distance(point: CalibrationPoint) -> tuple[float, float, float]:
    """Return how far a return is from the one asked for, and the least and the most that its interval allows."""
    achieved, asked = point.evaluation.mean_return, point.target_return
    ends = (abs(achieved.low - asked), abs(achieved.high - asked))
    least = 0.0 if achieved.low <= asked <= achieved.high else min(ends)
    return abs(achieved.estimate - asked), least, max(ends)


def demands(trajectories: Trajectories, *, n_groups: int) -> list[Demand]:
    """Return what each sampler achieved in each world, in `n_groups` groups of its episodes, ordered by return.

    A sampler without episodes in a world demands nothing there. Returns are rounded to three decimals.
    """
    if n_groups < 1:
        raise UserError(f"there are {n_groups} groups of episodes, expected at least 1.")
    returns, found = trajectories.episode_return, []
    for world, env_id in enumerate(trajectories.env_ids):
        for index, sampler in enumerate(trajectories.samplers):
            chosen = (trajectories.world == world) & (trajectories.sampler == index)
            groups = [group for group in returns[chosen].sort().values.tensor_split(n_groups) if len(group)]
            means = torch.tensor([round(group.double().mean().item(), 3) for group in groups], dtype=torch.float64)
            targets, count = means.unique(return_counts=True)
            if groups:
                shares = (count.double() / len(groups)).tolist()
                found.append(Demand(env_id, sampler, tuple(targets.tolist()), tuple(shares)))
    return found
