"""Similarities of observations that are learned from features: linear ones, and any others.

A similarity of observations may be a sum over features, Sim(a, b) = c − Σ_i w_i |z_a,i − z_b,i|, or any function of the
same per-feature differences. Both are learned on the pairs within one half of the frames and judged on the pairs within
the other half, whose frames they never saw: logistic regression for the sum, gradient-boosted trees for any function
(Friedman 2001, Annals of Statistics 29:1189). If trees do better, similarity is no linear function of features. Learned
weights may do well on anything: the rivals are sums over the coordinates, or the principal components, of the rows
that features were found in. Only if features do better is it features that it takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from dtinterp.equivalence.explain.prediction import auroc
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval, central

LINEAR, TREES = "sum over features", "any function of features"
COORDINATES, COMPONENTS = "sum over coordinates", "sum over principal components"
PENALTY = 0.1
"""How weakly weights are held back (C of scikit-learn), of columns in one unit."""


@dataclass(frozen=True)
class LearnedSimilarity:
    """How well similarities that were learned from per-feature differences do on frames that they never saw."""

    auroc: Mapping[str, Interval]
    """by name: the mean over splits, the central 95% of them, and their number; raw distances on the same pairs, too"""
    trees_less_linear: Interval
    """how much better any function does than the sum, split by split"""
    linear_less: Mapping[str, Interval] = field(default_factory=dict)
    """how much better the sum over features does than each other one, split by split; none in reports of before"""


def learn_similarity(
    is_interchangeable: Bool[np.ndarray, "frame frame"],
    codes: Float64[np.ndarray, "frame window feature"],
    rows: Float64[np.ndarray, "frame window column"],
    *,
    beside: Mapping[str, Float64[np.ndarray, "frame frame"]],
    n_splits: int,
    generator: np.random.Generator,
) -> LearnedSimilarity:
    """Learn on random halves of the frames from the codes of `rows`, and from these themselves; judge on the others.

    The distances `beside` are judged on the same pairs. A difference of codes is its mean over the windows. Halves
    without both kinds of pairs are drawn again. Raises `UserError` where all are without.
    """
    if not is_learnable(is_interchangeable):
        raise UserError(
            "of the pairs that are interchangeable, or of those that are not, no two are of four different "
            "observations: a similarity cannot be learned on one half and judged on the other. Take another epsilon."
        )
    codes, rows = _in_one_unit(codes), _in_one_unit(rows)
    learned = {LINEAR: codes, TREES: codes, COORDINATES: rows, COMPONENTS: _components(rows)}
    areas: dict[str, list[float]] = {name: [] for name in (*learned, *beside)}
    while len(areas[LINEAR]) < n_splits:
        halves = np.array_split(generator.permutation(len(codes)), 2)
        seen, unseen = (_pairs(np.sort(half)) for half in halves)
        labels, judged = (is_interchangeable[pairs[0], pairs[1]] for pairs in (seen, unseen))
        if labels.all() or not labels.any() or judged.all() or not judged.any():
            continue
        trees = HistGradientBoostingClassifier(random_state=int(generator.integers(2**31)))
        for name, columns in learned.items():
            learner = trees if name == TREES else LogisticRegression(C=PENALTY, max_iter=2000)
            learner.fit(_differences(columns, seen), labels)
            closeness = learner.predict_proba(_differences(columns, unseen))[:, 1]
            areas[name].append(auroc(judged, -closeness))
        for name, table in beside.items():
            areas[name].append(auroc(judged, table[unseen[0], unseen[1]]))
    by_split = {name: np.array(values) for name, values in areas.items()}
    return LearnedSimilarity(
        auroc={name: central(values) for name, values in by_split.items()},
        trees_less_linear=central(by_split[TREES] - by_split[LINEAR]),
        linear_less={name: central(by_split[LINEAR] - values) for name, values in by_split.items() if name != LINEAR},
    )


def is_learnable(is_interchangeable: Bool[np.ndarray, "frame frame"]) -> bool:
    """Return whether two halves of the frames may both hold pairs of either kind: some two of each share no frame."""
    return all(_has_disjoint(kind) for kind in (is_interchangeable, ~is_interchangeable))


def _has_disjoint(joined: Bool[np.ndarray, "frame frame"]) -> bool:
    """Return whether two of the joined pairs share no frame, from how many each frame is in."""
    degree = np.triu(joined, 1).sum(0) + np.triu(joined, 1).sum(1)
    n_pairs = degree.sum() / 2
    return bool(n_pairs * (n_pairs - 1) > (degree * (degree - 1)).sum())


def _in_one_unit(columns: Float64[np.ndarray, "frame window column"]) -> Float64[np.ndarray, "frame window kept"]:
    """Return the columns that differ somewhere, all divided by their root mean square deviation.

    One number for all: a penalty then holds codes and rows back alike, and rare features are not blown up.
    """
    kept = columns[..., (columns != columns[:1]).any((0, 1))]
    return kept / np.sqrt(kept.var(axis=(0, 1)).mean()) if kept.size else kept


def _components(rows: Float64[np.ndarray, "frame window column"]) -> Float64[np.ndarray, "frame window component"]:
    """Return the rows in the basis of their principal components."""
    n_frames, n_windows, n_columns = rows.shape
    found = PCA(svd_solver="full").fit_transform(rows.reshape(-1, n_columns))
    return found.reshape(n_frames, n_windows, -1)


def _pairs(frames: Int64[np.ndarray, " half"]) -> Int64[np.ndarray, "2 pair"]:
    first, second = np.triu_indices(len(frames), 1)
    return np.stack([frames[first], frames[second]])


def _differences(
    columns: Float64[np.ndarray, "frame window column"], pairs: Int64[np.ndarray, "2 pair"]
) -> Float64[np.ndarray, "pair column"]:
    windows = (np.abs(rows[pairs[0]] - rows[pairs[1]]) for rows in columns.swapaxes(0, 1))  # pair column, one by one
    return sum(windows, np.zeros(())) / columns.shape[1]
