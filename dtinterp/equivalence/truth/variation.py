"""Variation of information between two partitions: how much each says that the other does not.

With U and V the classes of a frame drawn at random, in bits:

    lost      H(V | U)                what the reference tells apart and the partition does not; 0 if it refines it
    excess    H(U | V)                what the partition tells apart and the reference does not; 0 if it is refined
    distance  H(U | V) + H(V | U)     the variation of information (Meilă 2007, Journal of Multivariate Analysis 98:873)
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from dtinterp.equivalence.partition import Partition


@dataclass(frozen=True)
class Variation:
    """How a partition differs from a reference over the same frames."""

    lost: float
    """bits, H(reference | partition)"""
    excess: float
    """bits, H(partition | reference)"""
    refines: float
    """share of the pairs that the partition joins which the reference joins too; 1 if it refines it or joins none"""
    is_refined: float
    """share of the pairs that the reference joins which the partition joins too"""

    @property
    def distance(self) -> float:
        """The variation of information, in bits."""
        return self.lost + self.excess


def variation(partition: Partition, reference: Partition) -> Variation:
    """Return what each of two partitions of the same frames says that the other does not.

    Raises ValueError where they are not about equally many frames.
    """
    if len(partition.label) != len(reference.label):
        raise ValueError(f"{len(partition.label)} labels against {len(reference.label)}")
    table = np.zeros((partition.n_classes, reference.n_classes))
    np.add.at(table, (partition.label.numpy(), reference.label.numpy()), 1)
    joint = _entropy(table)
    both = _pairs(table)
    ours, theirs = _pairs(table.sum(1)), _pairs(table.sum(0))
    return Variation(
        lost=max(joint - _entropy(table.sum(1)), 0.0),
        excess=max(joint - _entropy(table.sum(0)), 0.0),
        refines=both / ours if ours else 1.0,
        is_refined=both / theirs if theirs else 1.0,
    )


def _entropy(counts: Float64[np.ndarray, "..."]) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


def _pairs(counts: Float64[np.ndarray, "..."]) -> float:
    return float((counts * (counts - 1)).sum() / 2)
