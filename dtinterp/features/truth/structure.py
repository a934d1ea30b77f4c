"""Correlation structure and effective dimension of items, facts and features."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode_dense

STRONG = 0.5
"""Absolute correlation from which two variables count as hanging together."""
N_PAIRS = 5


@dataclass(frozen=True)
class CorrelatedPair:
    """Two variables and their correlation."""

    one: str
    other: str
    correlation: float


@dataclass(frozen=True)
class CorrelationStructure:
    """Pearson correlations of variables that vary, over rows; each pair counts once."""

    n_variables: int
    mean_absolute: float
    strong_share: float
    """share of the pairs with an absolute correlation of `STRONG` or more"""
    dimension: float
    """`n^2 / sum_ij r_ij^2`, the participation ratio of the correlation matrix: n for independent variables, 1 where
    all are one"""
    together: tuple[CorrelatedPair, ...]
    """those with the largest correlations"""
    apart: tuple[CorrelatedPair, ...]
    """those with the most negative ones"""


@dataclass(frozen=True)
class EffectiveDimension:
    """How many numbers rows take, in principal coordinates and in features.

    The participation ratio of energies e_i is `(sum e_i)^2 / sum e_i^2`: as many as there are where all are equal, 1
    where one has everything. In all: e_i is the variance along principal axis i, and for features the sum over rows of
    `z_f^2 |d_f|^2`. Per row: e_i is the square of the row's own coordinate, averaged over rows that have any.
    """

    coordinates: float
    features: float
    coordinates_per_row: float
    features_per_row: float


def correlation_structure(values: Float64[Tensor, "row variable"], names: Sequence[str]) -> CorrelationStructure:
    """Return the structure of the variables that vary; `names` are theirs."""
    spread = values - values.mean(dim=0)
    length = spread.norm(dim=0)
    varies = length > 1e-9 * len(values) ** 0.5
    unit = spread[:, varies] / length[varies]
    kept = [name for name, kept in zip(names, varies.tolist(), strict=True) if kept]
    matrix = unit.T @ unit  # variable variable
    above = torch.triu_indices(len(kept), len(kept), 1)
    pairs = matrix[above[0], above[1]]
    order = pairs.argsort(stable=True).tolist()

    def named(places: list[int]) -> tuple[CorrelatedPair, ...]:
        return tuple(
            CorrelatedPair(kept[int(above[0, place])], kept[int(above[1, place])], float(pairs[place]))
            for place in places
        )

    return CorrelationStructure(
        n_variables=len(kept),
        mean_absolute=float(pairs.abs().mean()) if len(pairs) else 0.0,
        strong_share=float((pairs.abs() >= STRONG).double().mean()) if len(pairs) else 0.0,
        dimension=float(len(kept) ** 2 / matrix.square().sum()) if kept else 0.0,
        together=named(order[::-1][:N_PAIRS]),
        apart=named(order[:N_PAIRS]),
    )


def effective_dimension(dictionary: Dictionary, rows: Float32[Tensor, "row d_model"]) -> EffectiveDimension:
    """Return how many numbers rows take before and after the dictionary takes them apart."""
    centred = rows.double() - rows.double().mean(dim=0)
    axes = torch.linalg.eigh(centred.T @ centred).eigenvectors
    along = (centred @ axes).square()  # row axis
    of_features = (encode_dense(dictionary, rows).double() * dictionary.W_dec.double().norm(dim=1)).square()
    return EffectiveDimension(
        coordinates=float(participation(along.sum(dim=0)[None])),
        features=float(participation(of_features.sum(dim=0)[None])),
        coordinates_per_row=float(participation(along)),
        features_per_row=float(participation(of_features)),
    )


def participation(energy: Float64[Tensor, "row part"]) -> Float64[Tensor, ""]:
    """Return the mean participation ratio of the rows that have any energy; 0 where none has."""
    total, squares = energy.sum(dim=1), energy.square().sum(dim=1)
    ratio = (total.square() / squares.clamp_min(1e-300))[squares > 0]
    return ratio.mean() if len(ratio) else energy.new_zeros(())
