import pytest
import torch

from dtinterp.equivalence.certify import EquivalenceReport
from dtinterp.equivalence.classes import partition_of
from dtinterp.report.figures.equivalence import class_order
from dtinterp.report.pairs import borders, nearest, nearest_outside, worst_swap


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


def test_the_nearest_one_outside_is_of_another_class_and_no_other_such_one_is_closer(report: EquivalenceReport) -> None:
    label = report.partition.label
    for place in range(12):
        other = nearest_outside(report, report.partition, place)
        assert other is not None
        outside = [float(report.relation.maximum[place, each]) for each in range(12) if label[each] != label[place]]
        assert label[other] != label[place]
        assert float(report.relation.maximum[place, other]) == min(outside)


def test_where_all_are_one_class_nothing_is_outside(report: EquivalenceReport) -> None:
    one = partition_of(torch.zeros(12, dtype=torch.int64), "one")
    assert nearest_outside(report, one, 3) is None


def test_borders_are_those_of_the_largest_classes_and_none_comes_twice(report: EquivalenceReport) -> None:
    found = borders(report, 2)
    assert len(found) == 2
    assert len({frozenset(pair) for pair in borders(report, 99)}) == len(borders(report, 99))
    largest = int(class_order(report.partition, report.chosen)[0])
    first = report.chosen.frame_id[report.partition.members(largest)[0]]
    assert found[0][0] == int(first)
    place = {int(frame): row for row, frame in enumerate(report.chosen.frame_id)}
    for one, other in found:
        assert report.partition.label[place[one]] != report.partition.label[place[other]]
