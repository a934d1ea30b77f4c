"""Loss and success of the models of a sweep against parameters, with intervals over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from dtinterp.foundation.artefacts.codec import ArtefactKind
from dtinterp.foundation.jobs.pool import Failed
from dtinterp.foundation.statistics import Interval, student_mean
from dtinterp.model.training.sweep import SweepTrial

COLUMNS: tuple[str, ...] = (
    "d_model",
    "n_layers",
    "seed",
    "n_parameters",
    "loss",
    "accuracy",
    "success",
    "success_low",
    "success_high",
    "n_episodes",
    "seconds",
    "failed",
)
"""Of the table of a sweep's trials."""


@dataclass(frozen=True)
class Scores:
    """How a trained model fares."""

    n_parameters: int
    loss: float
    """held-out cross-entropy in nats per action"""
    accuracy: float
    """share of held-out actions that are the most likely one"""
    success: Interval
    """share of sampled episodes at the return asked for, Wilson"""
    seconds: float
    """wall-clock of training and playing, the last part of an interrupted one"""


@dataclass(frozen=True)
class Tried:
    """A trial and what became of it."""

    trial: SweepTrial
    outcome: Scores | Failed

    @property
    def row(self) -> Mapping[str, object]:
        """The trial as a row of the table, by column."""
        match self.outcome:
            case Failed(reason):
                found = {"failed": reason}
            case Scores(success=success):
                found = {name: value for name, value in vars(self.outcome).items() if name != "success"}
                found |= {"success": success.estimate, "n_episodes": success.n}
                found |= {"success_low": success.low, "success_high": success.high}
        return {**asdict(self.trial), **found}


@dataclass(frozen=True)
class Size:
    """The trials of one size that were trained, seeds together."""

    d_model: int
    n_layers: int
    n_parameters: int
    loss: Interval
    """mean over seeds with Student's interval; of a single seed, n = 1, no more than its value is known"""
    success: Interval
    """the same of the share of successes, cut off at 0 and 1"""
    n_failed: int
    """trials of this size that came to nothing"""


@dataclass(frozen=True)
class SweepResult:
    """What became of a sweep."""

    sizes: Mapping[str, Size]
    """by name, such as `width 128, layers 2`"""
    failed: Mapping[str, str]
    """why each trial failed that did"""


SWEEP = ArtefactKind("sweep", SweepResult, places={"": "metrics"})


def sizes_of(tried: Sequence[Tried]) -> list[Size]:
    """Return the sizes by layers, then width; those of which no trial was trained are left out."""

    def size(each: Tried) -> tuple[int, int]:
        return each.trial.n_layers, each.trial.d_model

    groups = [list(group) for _, group in groupby(sorted(tried, key=size), key=size)]
    return [_together(group) for group in groups if any(isinstance(each.outcome, Scores) for each in group)]


def _together(group: Sequence[Tried]) -> Size:
    scores = [each.outcome for each in group if isinstance(each.outcome, Scores)]
    success = _over_seeds([each.success.estimate for each in scores])
    return Size(
        d_model=group[0].trial.d_model,
        n_layers=group[0].trial.n_layers,
        n_parameters=scores[0].n_parameters,
        loss=_over_seeds([each.loss for each in scores]),
        success=Interval(success.estimate, max(success.low, 0.0), min(success.high, 1.0), success.n),
        n_failed=len(group) - len(scores),
    )


def _over_seeds(values: Sequence[float]) -> Interval:
    return student_mean(values) if len(values) > 1 else Interval(values[0], values[0], values[0], 1)
