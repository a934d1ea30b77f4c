import itertools

import pytest
import torch

from dtinterp.equivalence.partition import Partition, classes, classes_of_count, partition_of
from dtinterp.equivalence.relation import Relation
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator


def _relation(maximum: torch.Tensor) -> Relation:
    n = len(maximum)
    return Relation(
        mean=maximum / 2,
        maximum=maximum,
        n_contexts=torch.ones(n, n, dtype=torch.int64),
        frame_id=torch.arange(n),
        name="toy",
    )


@pytest.fixture(scope="module")
def relation() -> Relation:
    """Thirty frames at random distances that obey no triangle inequality."""
    upper = torch.rand(30, 30, generator=generator(0, "distances")).triu(1)
    return _relation(upper + upper.T)


def test_complete_linkage_by_hand() -> None:
    # Frames 0 and 1 are 1/8 apart, 2 is 1/4 from 1 and 1/2 from 0, and 3 is far from all.
    eighths = torch.tensor([[0, 1, 4, 7], [1, 0, 2, 7], [4, 2, 0, 7], [7, 7, 7, 0]])
    maximum = eighths / 8
    found = {epsilon: classes(_relation(maximum), epsilon).label.tolist() for epsilon in (0.1, 0.125, 0.3, 0.5, 1.0)}
    assert found == {
        0.1: [0, 1, 2, 3],
        0.125: [0, 0, 1, 2],
        0.3: [0, 0, 1, 2],  # single linkage would let 2 in through 1
        0.5: [0, 0, 0, 1],
        1.0: [0, 0, 0, 0],
    }


def test_no_two_frames_of_a_class_are_further_apart_than_epsilon(relation: Relation) -> None:
    for epsilon in (0.1, 0.3, 0.6, 0.9):
        found = classes(relation, epsilon)
        for label in range(found.n_classes):
            members = found.members(label)
            assert relation.maximum[members][:, members].max() <= epsilon


def test_two_classes_cannot_be_joined_within_epsilon(relation: Relation) -> None:
    found = classes(relation, 0.5)
    for one, other in itertools.combinations(range(found.n_classes), 2):
        assert relation.maximum[found.members(one)][:, found.members(other)].max() > 0.5


def test_classes_at_a_smaller_epsilon_refine_those_at_a_larger(relation: Relation) -> None:
    ladder = [classes(relation, epsilon) for epsilon in torch.linspace(0, 1, 41).tolist()]
    for finer, coarser in itertools.pairwise(ladder):
        for label in range(finer.n_classes):
            assert len(coarser.label[finer.members(label)].unique()) == 1
    assert len({partition.n_classes for partition in ladder}) > 10


def test_at_zero_only_frames_that_nothing_tells_apart_are_joined() -> None:
    maximum = torch.tensor([[0, 0, 1e-6], [0, 0, 1e-6], [1e-6, 1e-6, 0]])
    assert classes(_relation(maximum), 0.0).label.tolist() == [0, 0, 1]


def test_a_single_frame_is_a_class() -> None:
    assert classes(_relation(torch.zeros(1, 1)), 0.1).label.tolist() == [0]


def test_a_number_of_classes_can_be_asked_for(relation: Relation) -> None:
    counts = [classes_of_count(relation, count).n_classes for count in range(1, 31)]
    assert counts == list(range(1, 31))


def test_classes_by_number_come_from_the_same_dendrogram(relation: Relation) -> None:
    by_epsilon = classes(relation, 0.5)
    assert torch.equal(classes_of_count(relation, by_epsilon.n_classes).label, by_epsilon.label)


@pytest.mark.parametrize("count", [0, 31])
def test_an_impossible_number_of_classes_is_refused(relation: Relation, count: int) -> None:
    with pytest.raises(UserError, match=f"{count} classes of 30 frames were asked for"):
        classes_of_count(relation, count)


@pytest.mark.parametrize("epsilon", [-0.1, 1.5, float("nan")])
def test_epsilon_outside_zero_to_one_is_refused(relation: Relation, epsilon: float) -> None:
    with pytest.raises(UserError, match=f"epsilon is {epsilon}, expected 0 to 1 bit"):
        classes(relation, epsilon)


def test_classes_are_numbered_in_order_of_first_appearance() -> None:
    partition = partition_of(torch.tensor([7, 3, 7, 9, 3]), "toy")
    assert partition.label.tolist() == [0, 1, 0, 2, 1]
    assert partition.sizes.tolist() == [2, 2, 1]
    assert partition.members(1).tolist() == [1, 4]


def test_labels_numbered_otherwise_are_refused() -> None:
    with pytest.raises(ValueError, match="not numbered from 0"):
        Partition(torch.tensor([1, 0]), "toy")
