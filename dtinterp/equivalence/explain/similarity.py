"""Similarities of observations that are learned from features: linear ones, and any others.

A similarity of observations may be a sum over features, Sim(a, b) = c − Σ_i w_i |z_a,i − z_b,i|, or any function of the
same per-feature differences. Both are learned on the pairs within one half of the frames and judged on the pairs within
the other half, whose frames they never saw: logistic regression for the sum, gradient-boosted trees for any function
(Friedman 2001, Annals of Statistics 29:1189). If trees do better, similarity is no linear function of features.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from dtinterp.equivalence.explain.prediction import auroc
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval, central

LINEAR, TREES = "sum over features", "any function of features"


@dataclass(frozen=True)
class LearnedSimilarity:
    """How well similarities that were learned from per-feature differences do on frames that they never saw."""

    auroc: Mapping[str, Interval]
    """by name: the mean over splits, the central 95% of them, and their number; raw distances on the same pairs, too"""
    trees_less_linear: Interval
    """how much better any function does than the sum, split by split"""


def learn_similarity(
    is_interchangeable: Bool[np.ndarray, "frame frame"],
    codes: Float64[np.ndarray, "frame window feature"],
    *,
    beside: Mapping[str, Float64[np.ndarray, "frame frame"]],
    n_splits: int,
    generator: np.random.Generator,
) -> LearnedSimilarity:
    """Learn both on random halves of the frames and judge them, and the distances `beside`, on the other halves.

    A difference of codes is its mean over the windows. Halves without both kinds of pairs are drawn again. Raises
    `UserError` where all are without.
    """
    if not is_learnable(is_interchangeable):
        raise UserError(
            "of the pairs that are interchangeable, or of those that are not, no two are of four different "
            "observations: a similarity cannot be learned on one half and judged on the other. Take another epsilon."
        )
    areas: dict[str, list[float]] = {name: [] for name in (LINEAR, TREES, *beside)}
    codes = codes[..., (codes != codes[:1]).any((0, 1))]  # features that differ somewhere
    while len(areas[LINEAR]) < n_splits:
        halves = np.array_split(generator.permutation(len(codes)), 2)
        seen, unseen = (_pairs(np.sort(half)) for half in halves)
        labels, judged = (is_interchangeable[pairs[0], pairs[1]] for pairs in (seen, unseen))
        if labels.all() or not labels.any() or judged.all() or not judged.any():
            continue
        for name, learner in _learners(generator).items():
            learner.fit(_differences(codes, seen), labels)
            closeness = learner.predict_proba(_differences(codes, unseen))[:, 1]
            areas[name].append(auroc(judged, -closeness))
        for name, table in beside.items():
            areas[name].append(auroc(judged, table[unseen[0], unseen[1]]))
    gain = np.array(areas[TREES]) - np.array(areas[LINEAR])
    return LearnedSimilarity({name: central(values) for name, values in areas.items()}, central(gain))


def is_learnable(is_interchangeable: Bool[np.ndarray, "frame frame"]) -> bool:
    """Return whether two halves of the frames may both hold pairs of either kind: some two of each share no frame."""
    return all(_has_disjoint(kind) for kind in (is_interchangeable, ~is_interchangeable))


def _has_disjoint(joined: Bool[np.ndarray, "frame frame"]) -> bool:
    """Return whether two of the joined pairs share no frame, from how many each frame is in."""
    degree = np.triu(joined, 1).sum(0) + np.triu(joined, 1).sum(1)
    n_pairs = degree.sum() / 2
    return bool(n_pairs * (n_pairs - 1) > (degree * (degree - 1)).sum())


def _learners(
    generator: np.random.Generator,
) -> dict[str, LogisticRegression | HistGradientBoostingClassifier]:
    seed = int(generator.integers(2**31))
    return {
        LINEAR: LogisticRegression(max_iter=2000),
        TREES: HistGradientBoostingClassifier(random_state=seed),
    }


def _pairs(frames: Int64[np.ndarray, " half"]) -> Int64[np.ndarray, "2 pair"]:
    first, second = np.triu_indices(len(frames), 1)
    return np.stack([frames[first], frames[second]])


def _differences(
    codes: Float64[np.ndarray, "frame window feature"], pairs: Int64[np.ndarray, "2 pair"]
) -> Float64[np.ndarray, "pair feature"]:
    windows = (np.abs(code[pairs[0]] - code[pairs[1]]) for code in codes.swapaxes(0, 1))  # pair feature, one by one
    return sum(windows, np.zeros(())) / codes.shape[1]
