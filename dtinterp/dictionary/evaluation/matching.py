"""One-to-one matching of two sets of directions, and how well they agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from dtinterp.foundation import seeding
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval, bootstrap_mean

AGREES = 0.9
"""Cosine from which two directions count as the same."""
CHANCE = "matching/chance"
"""Stream of the random directions: of its own, lest it repeat what a truth was drawn from."""
NOTHING = 1e-6
"""Share of the longest direction's length below which one is nothing but rounding."""


@dataclass(frozen=True)
class Recovery:
    """How well learned directions agree with true ones; cosines keep their sign, since a feature only adds."""

    matched: Interval
    """mean over true directions of the cosine in the one-to-one matching that makes it largest (Sharkey, Braun &
    Millidge 2022); a true direction without partner counts 0"""
    chance: Interval
    """the same for as many random directions: what matching alone achieves"""
    recall: float
    """share of true directions that some feature meets with cosine `AGREES` or more"""
    precision: float
    """share of features that meet some true direction so"""
    uniqueness: float
    """true directions met / features that meet one: below 1 where several features share a truth; 0 where none does"""
    n_true: int
    n_features: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True)
class Consistency:
    """How alike dictionaries are that differ in their seed alone."""

    matched: Interval
    """mean over pairs of dictionaries and their matched features of the cosine (Song et al. 2025, arXiv:2505.20254);
    its n is the number of matched pairs of features"""
    chance: Interval
    """the same between each first dictionary of a pair and random directions"""
    n_dictionaries: int


def matched_cosine(
    one: Float32[Tensor, "one d_model"], other: Float32[Tensor, "other d_model"]
) -> Float[np.ndarray, " pair"]:
    """Return the cosines of the one-to-one matching whose sum is largest, as many as the smaller set has directions.

    Kuhn 1955 (the assignment problem), as scipy solves it.
    """
    cosine = _cosine(one, other)
    return cosine[linear_sum_assignment(cosine, maximize=True)]


def consistency(directions: Sequence[Float32[Tensor, "feature d_model"]], *, seed: int = 0) -> Consistency:
    """Return how alike the decoder directions of several dictionaries are. Raises `UserError` for fewer than two."""
    if len(directions) < 2:
        raise UserError(f"There are {len(directions)} dictionaries, expected at least 2: fit more seeds.")
    pairs = list(combinations(directions, 2))
    generator = seeding.generator(seed, CHANCE)
    found = np.concatenate([matched_cosine(one, other) for one, other in pairs])
    chance = np.concatenate([matched_cosine(one, _random_like(other, generator)) for one, other in pairs])
    rng = seeding.numpy_generator(seed, "matching/bootstrap")
    return Consistency(bootstrap_mean(found, rng), bootstrap_mean(chance, rng), len(directions))


def recovery(
    learned: Float32[Tensor, "feature d_model"], truth: Float32[Tensor, "true d_model"], *, seed: int = 0
) -> Recovery:
    """Return how well the learned directions recover the true ones."""
    generator, rng = seeding.generator(seed, CHANCE), seeding.numpy_generator(seed, "matching/bootstrap")
    meets = _cosine(learned, truth) >= AGREES  # feature true
    n_met, n_meeting = int(meets.any(axis=0).sum()), int(meets.any(axis=1).sum())
    return Recovery(
        matched=bootstrap_mean(_of_every_truth(learned, truth), rng),
        chance=bootstrap_mean(_of_every_truth(_random_like(learned, generator), truth), rng),
        recall=n_met / len(truth),
        precision=n_meeting / len(learned),
        uniqueness=n_met / n_meeting if n_meeting else 0.0,
        n_true=len(truth),
        n_features=len(learned),
    )


def without_gauge(
    directions: Float32[Tensor, "true d_model"], *, block: Int64[Tensor, " true"], rate: Float32[Tensor, " true"]
) -> Float32[Tensor, "true d_model"]:
    """Return each direction minus the average of its block: `w_i - sum_j p_j w_j`, with p_j the rates in the block.

    Of one-hot inputs exactly one entry of each block is on. One vector added to all directions of a block moves every
    row alike, which no data tells from an offset, so only differences within a block are there to be found; this
    choice is the one that the mean row goes with. `rate` is how often each entry is on.
    """
    n_blocks = int(block.max()) + 1
    total = directions.new_zeros(n_blocks).index_add(0, block, rate).clamp_min(1e-12)
    share = (rate / total[block])[:, None]
    average = directions.new_zeros(n_blocks, directions.shape[1]).index_add(0, block, share * directions)
    return directions - average[block]  # true d_model


def identifiable(
    directions: Float32[Tensor, "true d_model"], *, rate: Float32[Tensor, " true"]
) -> Bool[Tensor, " true"]:
    """Return which gauge-free directions data can show: those that are on in some rows, not in all, and not zero."""
    length = directions.norm(dim=1)
    return (rate > 0) & (rate < 1) & (length > NOTHING * length.max())


def _cosine(
    one: Float32[Tensor, "one d_model"], other: Float32[Tensor, "other d_model"]
) -> Float[np.ndarray, "one other"]:
    normal = torch.nn.functional.normalize
    return (normal(one, dim=1) @ normal(other, dim=1).T).double().cpu().numpy()


def _of_every_truth(
    learned: Float32[Tensor, "feature d_model"], truth: Float32[Tensor, "true d_model"]
) -> Float[np.ndarray, " true"]:
    found = matched_cosine(learned, truth)
    return np.concatenate([found, np.zeros(len(truth) - len(found))])


def _random_like(directions: Float32[Tensor, "feature d_model"], generator: torch.Generator) -> Tensor:
    return torch.randn(directions.shape, generator=generator).to(directions.device)
