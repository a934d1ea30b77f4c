"""Classes of action distributions, any two of a class within ε bits: outputs of a finer machine.

The square root of the Jensen–Shannon divergence is a metric (Endres and Schindelin 2003, IEEE Transactions on
Information Theory 49:1858). So very many distributions are first gathered around few, and these are linked by what the
triangle inequality says of the farthest two of theirs: no pair of a class is ever beyond ε.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from dtinterp.equivalence.partition import check_epsilon
from dtinterp.equivalence.swaps.divergence import Distributions, distributions, js_between

SHARE = 8
"""Distributions are gathered within √ε / SHARE of one of them."""


@dataclass(frozen=True)
class QuantisedOutputs:
    """A class for each distribution."""

    label: Int64[np.ndarray, " seen"]
    chances: Float64[np.ndarray, "class action"]
    """the mean distribution of each class, which lies within ε of every member's"""

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return len(self.chances)


def quantised(logits: Float32[Tensor, "seen action"], epsilon: float) -> QuantisedOutputs:
    """Return classes of softmax(logits) in which no two are more than `epsilon` bits apart, by complete linkage.

    Raises `UserError` where epsilon is not between 0 and 1 bit.
    """
    check_epsilon(epsilon)
    given = distributions(logits)
    radius = np.sqrt(epsilon)
    leader, within = _gathered(given, radius / SHARE)
    leaders, place = np.unique(leader, return_inverse=True)
    reach = np.zeros(len(leaders))
    np.maximum.at(reach, place, within)
    label = _linked(given[torch.from_numpy(leaders)], reach, radius)[place]
    _, first, label = np.unique(label, return_index=True, return_inverse=True)
    label = np.argsort(np.argsort(first))[label]
    chances = np.zeros((len(first), logits.shape[1]))
    np.add.at(chances, label, given.p.numpy())
    return QuantisedOutputs(label, chances / chances.sum(1, keepdims=True))


def _gathered(given: Distributions, radius: float) -> tuple[Int64[np.ndarray, " seen"], Float64[np.ndarray, " seen"]]:
    """Return for each distribution one of them within the radius, and how far it is; leaders are found in order."""
    n = len(given.p)
    leader, within = np.full(n, -1), np.zeros(n)
    left = torch.arange(n)
    while len(left):
        distance = js_between(given[int(left[0])], given[left]).sqrt()
        near = distance <= radius
        near[0] = True
        leader[left[near]], within[left[near]] = int(left[0]), distance[near]
        left = left[~near]
    return leader, within


def _linked(given: Distributions, reach: Float64[np.ndarray, " leader"], radius: float) -> Int64[np.ndarray, " leader"]:
    if len(reach) < 2:
        return np.zeros(len(reach), dtype=np.int64)
    between = np.stack([js_between(given[row], given).sqrt().numpy() for row in range(len(reach))])
    between = between + reach[:, None] + reach[None, :]
    np.fill_diagonal(between, 0)
    merges = linkage(squareform(between, checks=False), method="complete")
    return fcluster(merges, radius, criterion="distance").astype(np.int64)
