"""Estimates with their confidence intervals, and p-values adjusted for their number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import stats


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval and the number of samples it rests on."""

    estimate: float
    low: float
    high: float
    n: int

    def __post_init__(self) -> None:
        """Refuse an interval that does not hold its estimate."""
        if not self.low <= self.estimate <= self.high:
            raise ValueError(f"estimate {self.estimate} lies outside [{self.low}, {self.high}]")

    def __str__(self) -> str:
        """Write `0.953 [0.938, 0.964] n=1000`."""
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}] n={self.n}"


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Return the Wilson score interval of a proportion (Wilson 1927, JASA 22:209, eq. 5)."""
    return _proportion(successes, n, confidence, "wilson")


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Return the Clopper–Pearson interval of a proportion, which covers it at least so often (1934, Biometrika 26:404).

    Where there was no success, or nothing else, all that may be missed lies on one side, so the bound there is
    one-sided: after n trials without success the share is below 1 − (1 − confidence)^(1/n).
    """
    return _proportion(successes, n, confidence, "exact")


@cache  # the classes of a partition ask for few different ones, and scipy takes its time
def _proportion(successes: int, n: int, confidence: float, method: Literal["wilson", "exact"]) -> Interval:
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} successes of {n} is no proportion")
    sides = {0: "less", n: "greater"} if method == "exact" else {}
    test = stats.binomtest(successes, n, alternative=sides.get(successes, "two-sided"))
    found, share = test.proportion_ci(confidence, method), successes / n
    return Interval(share, min(float(found.low), share), max(float(found.high), share), n)  # rounding, at 0 and 1


CENTRAL = (0.025, 0.975)
"""Quantiles between which the central 95% lie."""


def central(
    draws: Float[np.ndarray, " draw"] | Sequence[float], *, estimate: float | None = None, n: int | None = None
) -> Interval:
    """Return an estimate, else the mean of the draws, with the central 95% of them; n counts the draws unless given."""
    middle = float(np.mean(draws)) if estimate is None else estimate
    low, high = np.quantile(draws, CENTRAL)
    return Interval(middle, min(float(low), middle), max(float(high), middle), len(draws) if n is None else n)


def holm(p_values: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """Return p-values adjusted for their number (Holm 1979, Scandinavian Journal of Statistics 6:65).

    Rejecting those below a level makes any false rejection at most so likely, however the tests depend on each other.
    """
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def bootstrap_mean(
    values: Float[np.ndarray, " sample"],
    generator: np.random.Generator,
    *,
    draws: int = 1000,
    confidence: float = 0.95,
) -> Interval:
    """Return the mean with its percentile bootstrap interval (Efron & Tibshirani 1993, ch. 13).

    Each draw resamples as many values as there are, with replacement.
    """
    if len(values) == 0:
        raise ValueError("no values to average")
    means = np.array([generator.choice(values, len(values)).mean() for _ in range(draws)])
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    estimate = float(np.mean(values, dtype=np.float64))
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate), len(values))


def student_mean(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean with Student's t interval (1908, Biometrika 6:1), for a few values such as one a seed."""
    n = len(values)
    if n < 2:
        raise ValueError(f"{n} values have no interval, expected two or more")
    mean = float(np.mean(values))
    half = float(stats.t.ppf(0.5 + confidence / 2, n - 1)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)
