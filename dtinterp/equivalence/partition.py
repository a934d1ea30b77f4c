"""Clustering of observations by complete linkage of their divergences."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from dtinterp.demonstrations.frame_table import ABSENT, FrameTable
from dtinterp.equivalence.relation import Relation
from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class Partition:
    """One class for every frame."""

    label: Int64[Tensor, " frame"]
    """classes are numbered from 0 in order of first appearance"""
    name: str

    def __post_init__(self) -> None:
        """Refuse labels that are not numbered so."""
        if not torch.equal(self.label, _renumber(self.label)):
            raise ValueError(f"the classes of {self.name!r} are not numbered from 0 in order of first appearance")

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return int(self.label.max()) + 1 if len(self.label) else 0

    @property
    def sizes(self) -> Int64[Tensor, " class"]:
        """The number of frames in each class."""
        return torch.bincount(self.label)

    def members(self, label: int) -> Int64[Tensor, " member"]:
        """Return the places of a class's frames, in the order of `label`."""
        return (self.label == label).nonzero().squeeze(1)


def partition_of(label: Int64[Tensor, " frame"], name: str) -> Partition:
    """Return the partition that any labels make."""
    return Partition(_renumber(label), name)


def common_refinement(
    partition: Partition,
    frames: UInt8[Tensor, "frame view view 3"],
    other: Partition,
    other_frames: UInt8[Tensor, "other view view 3"],
) -> Partition:
    """Return the coarsest partition of `frames` that joins nothing that either keeps apart.

    The other one's frames are matched by what they show; those that it does not have stand apart from those it has.
    """
    row = FrameTable(other_frames).find(frames)
    theirs = torch.where(row == ABSENT, ABSENT, other.label[row.clamp(min=0)])
    both = torch.stack([partition.label, theirs], dim=1).unique(dim=0, return_inverse=True)[1]
    return partition_of(both, partition.name)


def classes(relation: Relation, epsilon: float) -> Partition:
    """Return classes in which no two frames are more than `epsilon` bits apart, by complete linkage on the maximum.

    Classes are joined, closest first, as long as the largest divergence between their members stays within `epsilon`
    (Sørensen 1948, Biologiske Skrifter 5). So that largest divergence is the certificate of a class, and
    classes at a smaller epsilon refine those at a larger. Raises `UserError` where epsilon is not between 0 and 1 bit.
    """
    check_epsilon(epsilon)
    name = f"{relation.name}, within {epsilon:g} bits"
    if relation.n_frames < 2:
        return Partition(torch.zeros(relation.n_frames, dtype=torch.int64), name)
    label = fcluster(dendrogram(relation), epsilon, criterion="distance")
    return partition_of(torch.from_numpy(label).long(), name)


def classes_of_count(relation: Relation, n_classes: int) -> Partition:
    """Return `n_classes` classes from the same dendrogram, fewer where ties forbid it."""
    name = f"{relation.name}, {n_classes} classes"
    if not 1 <= n_classes <= relation.n_frames:
        raise UserError(
            f"{n_classes} classes of {relation.n_frames} frames were asked for: ask for 1 to as many as frames."
        )
    if n_classes == relation.n_frames:
        return Partition(torch.arange(relation.n_frames), name)
    label = fcluster(dendrogram(relation), n_classes, criterion="maxclust")
    return partition_of(torch.from_numpy(label).long(), name)


def representatives(partition: Partition, relation: Relation) -> Int64[Tensor, " frame"]:
    """Return the place of each frame's representative: the member of its class that is closest to the one farthest off.

    Distance is the relation's maximum, ties go to the smaller mean and then to the earlier, that is more visited frame.
    """
    chosen = torch.empty_like(partition.label)
    for label in range(partition.n_classes):
        members = partition.members(label)
        farthest = relation.maximum[members][:, members].max(1).values
        mean = relation.mean[members][:, members].mean(1)
        best = min(range(len(members)), key=lambda place: (float(farthest[place]), float(mean[place]), place))
        chosen[members] = members[best]
    return chosen


def one_member_each(partition: Partition, rng: np.random.Generator) -> Int64[Tensor, " frame"]:
    """Return, for each frame, the member that was drawn for its class, each as likely as the others."""
    label, order = partition.label.numpy(), rng.permutation(len(partition.label))
    drawn = np.empty(partition.n_classes, dtype=np.int64)
    drawn[label[order]] = order  # the last one of each class stays
    return torch.from_numpy(drawn[label])


def check_epsilon(epsilon: float) -> None:
    """Raise `UserError` where epsilon is no Jensen–Shannon divergence."""
    if not 0 <= epsilon <= 1:
        raise UserError(
            f"epsilon is {epsilon}, expected 0 to 1 bit, as the Jensen-Shannon divergence: give another one."
        )


def dendrogram(relation: Relation) -> Float64[np.ndarray, "merge 4"]:
    """Return which frames join at which divergence, as scipy writes it."""
    return linkage(squareform(relation.maximum.double().numpy()), method="complete")


def _renumber(label: Int64[Tensor, " frame"]) -> Int64[Tensor, " frame"]:
    _, first, inverse = np.unique(label.numpy(), return_index=True, return_inverse=True)
    return torch.from_numpy(np.argsort(np.argsort(first))[inverse])
