"""Bootstrap intervals of means and ratios of values per row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64, Int64

from dtinterp.foundation.statistics import Interval

N_DRAWS = 1000
CONFIDENCE = 0.95

Totals: TypeAlias = Mapping[str, Float64[np.ndarray, " _"]]
"""The sum of each named quantity over the rows of each draw; the axis has one entry per draw."""


@dataclass(frozen=True)
class Resampled:
    """Totals over all rows, as the one draw of `whole`, and over bootstrap draws of clusters.

    Rows of one cluster (an episode, say) are not independent, so they are drawn together (Davison & Hinkley 1997,
    §3.8). All quantities share their draws, hence ratios and differences keep their correlation.
    """

    whole: Totals
    draws: Totals
    n_clusters: int

    def interval(self, statistic: Callable[[Totals], Float64[np.ndarray, " _"]]) -> Interval:
        """Return the percentile interval of a function of the totals; its n is the number of clusters.

        Draws for which the function is not defined, such as a ratio over nothing, are left out. Raises `ValueError`
        where it is not defined over all rows: whoever asks has to know.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate, drawn = float(statistic(self.whole)[0]), statistic(self.draws)
        if not np.isfinite(estimate):
            raise ValueError(f"a number over all rows is {estimate}, expected a finite one")
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(drawn[np.isfinite(drawn)], [tail, 1 - tail])
        return Interval(estimate, min(float(low), estimate), max(float(high), estimate), self.n_clusters)

    def ratio(self, quantity: str, over: str) -> Interval:
        """Return the interval of one total divided by another."""
        return self.interval(lambda total: total[quantity] / total[over])


def resample(
    values: Mapping[str, Float64[np.ndarray, " row"]],
    cluster: Int64[np.ndarray, " row"],
    generator: np.random.Generator,
) -> Resampled:
    """Draw as many clusters as there are, with replacement, `N_DRAWS` times, and total each quantity."""
    member = np.unique(cluster, return_inverse=True)[1]
    n_clusters = int(member.max()) + 1
    sums = np.stack([np.bincount(member, column, n_clusters) for column in values.values()], axis=1)  # cluster quantity
    draws = np.empty((N_DRAWS, len(values)))
    for draw in draws:
        draw[:] = np.bincount(generator.integers(n_clusters, size=n_clusters), minlength=n_clusters) @ sums
    whole = sums.sum(axis=0, keepdims=True)
    return Resampled(dict(zip(values, whole.T, strict=True)), dict(zip(values, draws.T, strict=True)), n_clusters)
