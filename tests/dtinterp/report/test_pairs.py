import pytest

from dtinterp.equivalence.certify import EquivalenceReport
from dtinterp.report.pairs import nearest, worst_swap


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
