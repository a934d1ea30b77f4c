"""Feature splitting and absorption of concepts that have parts.

A concept, such as a key in view, has parts that exclude or join each other, such as a key at one cell. A dictionary may
give it one feature, split it into several, or let the features of parts swallow it, so that the feature of the whole is
silent just where a part has one of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.foundation.statistics import Interval, wilson

SPLIT_GAIN = 0.03
"""How much F1 a further feature must add to count as part of the concept (Karvonen et al. 2025, arXiv:2503.09532)."""
MOST_SPLITS = 16
"""Features that a concept is split into at most, as far as is counted."""


@dataclass(frozen=True)
class Concept:
    """What holds for rows, and the parts of it."""

    name: str
    holds: Bool[Tensor, " row"]
    parts: Bool[Tensor, "row part"]
    """at least one of them holds where the concept does"""


@dataclass(frozen=True)
class Hierarchy:
    """What became of one concept in a dictionary; intervals are Wilson's over the rows in which it holds."""

    concept: str
    features: tuple[int, ...]
    """the features that stand for it: that of the largest F1, and as many more as each add `SPLIT_GAIN` to the F1 of
    "any of them fires"; more than one means that the dictionary splits the concept"""
    f1: float
    """of "any of them fires" """
    first_f1: float
    """of the first of them alone"""
    part_f1: float
    """mean over the parts of the largest F1 of any feature"""
    always_f1: float
    """of a feature that fires everywhere: what the base rate alone achieves"""
    silent: Interval
    """share of the rows in which it holds and none of its features fires"""
    absorbed: Interval
    """share of the rows in which, besides, the feature that writes most along the concept's direction is the one that
    stands for a part that is there: Chanin et al. 2024, arXiv:2409.14507, §4, with features for probes"""
    n_parts: int


def hierarchies(
    dictionary: Dictionary, rows: Float32[Tensor, "row d_model"], concepts: Sequence[Concept]
) -> tuple[Hierarchy, ...]:
    """Return what became of each concept that holds in some rows, not in all, and has at least two parts.

    Give distinct rows, each once, since every row counts as one sample. The concept's direction is the mean row where
    it holds less the mean row where it does not. Costs 4 bytes x rows x features.
    """
    value = encode_dense(dictionary, rows)  # row feature
    return tuple(
        _hierarchy(dictionary, rows, value, concept)
        for concept in concepts
        if concept.holds.any() and not concept.holds.all() and concept.parts.shape[1] > 1
    )


def _hierarchy(
    dictionary: Dictionary, rows: Float32[Tensor, "row d_model"], value: Float[Tensor, "row feature"], concept: Concept
) -> Hierarchy:
    fires, holds = value != 0, concept.holds
    chosen = list(_standing_for(fires, holds))
    any_fires = fires[:, [feature for feature, _ in chosen]].any(dim=1)
    by_part = torch.stack([f1(fires, part) for part in concept.parts.T])  # part feature
    is_silent = holds & ~any_fires
    direction = rows[holds].mean(dim=0) - rows[~holds].mean(dim=0)
    written = value * (dictionary.W_dec @ direction)  # row feature: what each adds along the direction, but for scale
    most, speaker = written.max(dim=1)
    owner = by_part.argmax(dim=1)  # part: the feature that stands for it
    is_own = ((speaker[:, None] == owner) & concept.parts).any(dim=1)
    n_holding = int(holds.sum())
    return Hierarchy(
        concept=concept.name,
        features=tuple(feature for feature, _ in chosen),
        f1=chosen[-1][1],
        first_f1=chosen[0][1],
        part_f1=float(by_part.max(dim=1).values.mean()),
        always_f1=float(f1(torch.ones_like(holds)[:, None], holds)),
        silent=wilson(int(is_silent.sum()), n_holding),
        absorbed=wilson(int((is_silent & is_own & (most > 0)).sum()), n_holding),
        n_parts=concept.parts.shape[1],
    )


def f1(fires: Bool[Tensor, "row feature"], holds: Bool[Tensor, " row"]) -> Float[Tensor, " feature"]:
    """Return the F1 of each feature's firing for what holds: `2 hits / (fires + holds)`."""
    hits = (fires & holds[:, None]).sum(dim=0)
    return 2 * hits / (fires.sum(dim=0) + holds.sum()).clamp_min(1)


def _standing_for(fires: Bool[Tensor, "row feature"], holds: Bool[Tensor, " row"]) -> Iterator[tuple[int, float]]:
    """Yield features and the F1 of all so far, greedily, until the next adds less than `SPLIT_GAIN`."""
    union, reached = torch.zeros_like(holds), 0.0
    for turn in range(min(MOST_SPLITS, fires.shape[1])):
        best, feature = f1(fires | union[:, None], holds).max(dim=0)
        if turn and float(best) < reached + SPLIT_GAIN:
            return
        union, reached = union | fires[:, int(feature)], float(best)
        yield int(feature), reached
