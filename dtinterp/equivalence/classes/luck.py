"""How much of the classes is luck: over which contexts were drawn, which epsilon was chosen, and which linkage.

Contexts are resampled with replacement, as many of each observation as there are (Efron and Tibshirani 1993), and
classes formed anew from each draw. A count of classes is nothing without its range over these. A draw lacks some of the
contexts, so it can only tell fewer observations apart: the range lies on one side, and refinement goes to the other.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Int64
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from dtinterp.equivalence.swaps.trials import Trials
from dtinterp.foundation.statistics import Interval, central

Linkage = Literal["complete", "average", "single"]
LINKAGES: tuple[Linkage, ...] = ("complete", "average", "single")
EPSILONS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Bits; the certificate's own is tried as well."""


@dataclass(frozen=True)
class ClassCount:
    """How many classes are formed at one epsilon by one linkage."""

    epsilon: float
    """bits"""
    linkage: Linkage
    n_classes: Interval
    """from all contexts, with the central 95% over draws of them"""


@dataclass(frozen=True)
class Luck:
    """Classes over draws of contexts."""

    together: Float32[Tensor, "frame frame"]
    """share of draws in which two observations are in one class, by complete linkage at the certificate's epsilon"""
    counts: tuple[ClassCount, ...]

    def count(self, epsilon: float, by: Linkage = "complete") -> Interval:
        """Return the number of classes at an epsilon that was tried."""
        return next(each.n_classes for each in self.counts if (each.epsilon, each.linkage) == (epsilon, by))


def luck_of(trials: Trials, *, epsilon: float, n_draws: int, generator: np.random.Generator) -> Luck:
    """Form classes from `n_draws` draws of each observation's contexts, at several epsilons, by several linkages."""
    epsilons = sorted({*EPSILONS, epsilon})
    all_contexts = _labels(_largest(trials, _own_contexts(trials)), epsilons)
    drawn = []
    for _ in range(n_draws):
        chosen = [own[generator.integers(len(own), size=len(own))] for own in _own_contexts(trials)]
        drawn.append(_labels(_largest(trials, chosen), epsilons))
    at = epsilons.index(epsilon)
    together = np.mean([_same(labels[0, at]) for labels in drawn], axis=0, dtype=np.float32)
    counts = []
    for by, name in enumerate(LINKAGES):
        for place, each in enumerate(epsilons):
            over_draws = [float(labels[by, place].max()) for labels in drawn]
            found = central(over_draws, estimate=float(all_contexts[by, place].max()))
            counts.append(ClassCount(each, name, found))
    return Luck(torch.from_numpy(together), tuple(counts))


def _own_contexts(trials: Trials) -> list[np.ndarray]:
    own = trials.contexts.frame_id.numpy()
    return [(own == frame).nonzero()[0] for frame in trials.frame_id.tolist()]


def _largest(trials: Trials, chosen: list[np.ndarray]) -> np.ndarray:
    """Return the largest divergence of each two frames in the chosen contexts, of either direction."""
    peak = trials.peak.numpy()
    rows = np.stack([peak[rows].max(0) for rows in chosen])
    np.fill_diagonal(rows, 0)
    return np.maximum(rows, rows.T).astype(np.float64)


def _labels(divergence: np.ndarray, epsilons: list[float]) -> Int64[np.ndarray, "linkage epsilon frame"]:
    """Return classes, numbered from 1."""
    condensed = squareform(divergence)
    trees = [linkage(condensed, method=name) for name in LINKAGES]
    return np.stack([[fcluster(tree, each, criterion="distance") for each in epsilons] for tree in trees]).astype(
        np.int64
    )


def _same(label: np.ndarray) -> np.ndarray:
    return label[:, None] == label[None]
