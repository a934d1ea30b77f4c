from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from dtinterp.equivalence.classes.certificates import certificates
from dtinterp.equivalence.levels import between_classes, class_order, frame_order, nearest, nearest_beyond, worst_swap
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.report import EQUIVALENCE, EquivalenceReport
from dtinterp.foundation.artefacts.codec import load


@pytest.fixture(scope="module")
def report(small_study: Path) -> EquivalenceReport:
    return load(small_study / "equivalence" / "novice", EQUIVALENCE)


@pytest.fixture(scope="module")
def mixed(report: EquivalenceReport) -> EquivalenceReport:
    """The report with planted classes: five of three, two, two, four and one observations."""
    partition = partition_of(torch.tensor([0, 1, 0, 2, 1, 3, 3, 3, 0, 2, 4, 3]), "planted")
    return replace(report, partition=partition, certificates=certificates(report.swaps, partition))


def test_classes_come_largest_first_and_among_equals_the_more_visited(mixed: EquivalenceReport) -> None:
    visits = [int(mixed.chosen.n_visits[mixed.partition.members(label)].sum()) for label in range(5)]
    order = class_order(mixed.partition, mixed.chosen).tolist()
    assert order == sorted(range(5), key=lambda label: (-len(mixed.partition.members(label)), -visits[label]))


def test_frames_stand_class_after_class(mixed: EquivalenceReport) -> None:
    order = frame_order(mixed.partition, mixed.chosen)
    labels = mixed.partition.label[order].tolist()
    assert list(dict.fromkeys(labels)) == class_order(mixed.partition, mixed.chosen).tolist()
    assert sorted(order.tolist()) == list(range(12))
    assert sum(one != other for one, other in pairwise(labels)) == 4


def test_the_worst_swap_of_two_is_the_larger_of_both_directions(report: EquivalenceReport) -> None:
    for place, other in ((0, 1), (1, 0), (3, 7)):
        swap = worst_swap(report, place, other)
        assert swap.divergence == pytest.approx(float(report.relation.maximum[place, other]))
        ids = report.chosen.frame_id
        assert {swap.frame, swap.stand_in} == {int(ids[place]), int(ids[other])}


def test_both_orders_name_the_same_swap(report: EquivalenceReport) -> None:
    there, back = worst_swap(report, 2, 5), worst_swap(report, 5, 2)
    assert there.divergence == back.divergence


def test_the_nearest_observation_is_another_one(report: EquivalenceReport) -> None:
    for place in range(report.relation.n_frames):
        other = nearest(report, place)
        assert other != place
        distances = [float(report.relation.maximum[place, each]) for each in range(12) if each != place]
        assert float(report.relation.maximum[place, other]) == min(distances)


def test_an_observation_has_no_swap_with_itself(report: EquivalenceReport) -> None:
    with pytest.raises(ValueError, match="observation 4 was never swapped with itself"):
        worst_swap(report, 4, 4)


def test_the_nearest_one_beyond_epsilon_is_the_closest_that_cannot_stand_in(report: EquivalenceReport) -> None:
    maximum = report.relation.maximum
    for place in range(12):
        other = nearest_beyond(report, place, 0.004)
        assert other is not None
        beyond = [float(maximum[place, each]) for each in range(12) if float(maximum[place, each]) > 0.004]
        assert float(maximum[place, other]) == min(beyond)


def test_where_all_can_stand_in_nothing_is_beyond(report: EquivalenceReport) -> None:
    assert nearest_beyond(report, 3, 1.0) is None


def test_pairs_between_classes_lead_from_the_largest_one_to_the_next(report: EquivalenceReport) -> None:
    place = {int(frame): row for row, frame in enumerate(report.chosen.frame_id)}
    label, sizes = report.partition.label, report.partition.sizes
    found = between_classes(report, 2)
    (one, two), (again, three) = found
    assert two == again
    classes = [int(label[place[frame]]) for frame in (one, two, three)]
    assert len(set(classes)) == 3
    assert [int(sizes[each]) for each in classes] == [6, 3, 3]
    for frame, each in zip((one, two, three), classes, strict=True):
        assert int(report.chosen.n_visits[place[frame]]) == int(report.chosen.n_visits[label == each].max())
    assert between_classes(report, 99) == found
