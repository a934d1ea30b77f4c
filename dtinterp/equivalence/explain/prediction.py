"""How well distances between observations predict which of them are interchangeable.

A pair of frames is *interchangeable* where no decision moved by more than ε bits in any swap tried. A distance predicts
that as well as its area under the ROC curve: the chance that it is smaller for a pair that is interchangeable than for
one that is not, ties counted half (Hanley and McNeil 1982, Radiology 143:29). One half is what chance gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64

from dtinterp.equivalence.relation import Relation
from dtinterp.features.truth.alignment import auroc_of
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval, central, holm


@dataclass(frozen=True)
class DistancePrediction:
    """How well one distance says which pairs are interchangeable."""

    name: str
    """of the distance"""
    auroc: Interval
    """with the central 95% over resamples of the frames; n counts the pairs"""
    precision: float
    """share of interchangeable pairs among the closest ones, as many as there are interchangeable pairs; then it is the
    recall, too"""
    p_value: float
    """share of relabellings of the frames that predict at least as well, the truth counted among them; after Holm, over
    the distances that were tried together"""


@dataclass(frozen=True)
class Predictions:
    """How well distances say which of so many pairs are interchangeable."""

    n_pairs: int
    n_interchangeable: int
    distances: tuple[DistancePrediction, ...]


def predict(
    relation: Relation,
    distances: Sequence[Relation],
    *,
    epsilon: float,
    n_draws: int,
    generator: np.random.Generator,
) -> Predictions:
    """Judge each of `distances` by what swaps say, `relation`, about the same frames.

    Raises `UserError` where all pairs are interchangeable or none is: then there is nothing to predict.
    """
    truth = (relation.maximum <= epsilon).numpy()
    first, second = np.triu_indices(relation.n_frames, 1)
    n_positive = int(truth[first, second].sum())
    if n_positive in (0, len(first)):
        raise UserError(
            f"{n_positive} of {len(first)} pairs are within {epsilon:g} bits, expected some and not all: give another "
            "epsilon."
        )
    tables = {each.name: each.maximum.double().numpy() for each in distances}
    p_values = [_by_chance(truth, table, n_draws, generator) for table in tables.values()]
    judged = zip(tables.items(), holm(np.array(p_values)), strict=True)
    return Predictions(
        n_pairs=len(first),
        n_interchangeable=n_positive,
        distances=tuple(
            DistancePrediction(
                name=name,
                auroc=_resampled(truth, table, n_draws, generator),
                precision=_precision(truth[first, second], table[first, second]),
                p_value=float(p_value),
            )
            for (name, table), p_value in judged
        ),
    )


def auroc(is_positive: Bool[np.ndarray, " pair"], distance: Float64[np.ndarray, " pair"]) -> float:
    """Return the chance that a positive pair is closer than a negative one, ties counted half; NaN without either."""
    closeness, holds = torch.from_numpy(-distance).float(), torch.from_numpy(is_positive)
    return auroc_of(closeness[:, None], holds[:, None]).item()


def _resampled(
    truth: Bool[np.ndarray, "frame frame"],
    table: Float64[np.ndarray, "frame frame"],
    n_draws: int,
    generator: np.random.Generator,
) -> Interval:
    """Return the area with its spread over resamples of the frames; a frame drawn twice is no pair."""
    first, second = np.triu_indices(len(truth), 1)
    estimate = auroc(truth[first, second], table[first, second])
    areas = []
    for _ in range(n_draws):
        drawn = generator.integers(len(truth), size=len(truth))
        one, other = drawn[first], drawn[second]
        differ = one != other
        areas.append(auroc(truth[one[differ], other[differ]], table[one[differ], other[differ]]))
    return central([area for area in areas if not np.isnan(area)], estimate=estimate, n=len(first))


def _by_chance(
    truth: Bool[np.ndarray, "frame frame"],
    table: Float64[np.ndarray, "frame frame"],
    n_draws: int,
    generator: np.random.Generator,
) -> float:
    """Return how often frames whose distances were dealt out anew are predicted at least as well."""
    first, second = np.triu_indices(len(truth), 1)
    labels = truth[first, second]
    reached = auroc(labels, table[first, second])
    n_reached = 0
    for _ in range(n_draws):
        order = generator.permutation(len(truth))
        n_reached += auroc(labels, table[order[first], order[second]]) >= reached
    return (1 + n_reached) / (1 + n_draws)


def _precision(is_positive: Bool[np.ndarray, " pair"], distance: Float64[np.ndarray, " pair"]) -> float:
    closest = np.argsort(distance, kind="stable")[: int(is_positive.sum())]
    return float(is_positive[closest].mean())
