"""The features that members of a class share, and those in which they differ to no effect."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from dtinterp.equivalence.partition import Partition
from dtinterp.features.truth.structure import participation


@dataclass(frozen=True)
class ClassFeatures:
    """The features of one class of interchangeable observations."""

    label: int
    """which class"""
    n_members: int
    shared: tuple[int, ...]
    """features active in every member, and in fewer than all frames"""
    ignored: tuple[int, ...]
    """features active in some members only: they differ, and no decision tells"""


def class_features(partition: Partition, codes: Float[Tensor, "frame window feature"]) -> tuple[ClassFeatures, ...]:
    """Return the features of every class of two or more, the largest class first.

    A feature is active in a frame where it is in at least half of the windows.
    """
    is_active = (codes != 0).double().mean(1) >= 0.5  # frame feature
    is_everywhere = is_active.all(0)
    found = []
    for label in partition.sizes.argsort(descending=True, stable=True).tolist():
        members = is_active[partition.members(label)]
        if len(members) > 1:
            shared = members.all(0) & ~is_everywhere
            found.append(ClassFeatures(label, len(members), _places(shared), _places(members.any(0) & ~members.all(0))))
    return tuple(found)


@dataclass(frozen=True)
class Dimensions:
    """How many dimensions observations take up."""

    embeddings: float
    """of all compared frames"""
    representatives: float
    """of one frame per class, each class weighing as much as its members together"""
    representatives_alike: float
    """of one frame per class, all classes weighing alike"""


def dimensions(embedding: Float32[Tensor, "frame d_model"], representative: Sequence[int]) -> Dimensions:
    """Return effective dimensions before and after the frames of a class count as one.

    The effective dimension is the participation ratio of the eigenvalues λ of the covariance, (Σ λ)² / Σ λ²: k for k
    equal ones (Gao and Ganguli 2015, Current Opinion in Neurobiology 32:148). `representative` is the place of the
    frame that stands for each frame.
    """
    place = torch.tensor(representative)
    return Dimensions(
        embeddings=participation_ratio(embedding),
        representatives=participation_ratio(embedding[place]),
        representatives_alike=participation_ratio(embedding[place.unique()]),
    )


def participation_ratio(rows: Float32[Tensor, "row d_model"]) -> float:
    """Return (Σ λ)² / Σ λ² of the rows' covariance; 0 where all rows are the same."""
    return float(participation(torch.linalg.svdvals((rows - rows.mean(0)).double())[None] ** 2))


def _places(mask: Tensor) -> tuple[int, ...]:
    return tuple(mask.nonzero().squeeze(1).tolist())
