"""Numbers of distinct rows, against pairwise comparison."""

import numpy as np

from environments.graph.numbering import number_rows


def test_equal_rows_share_a_number() -> None:
    rows = np.random.default_rng(0).integers(0, 2, (60, 2, 2))
    numbers = number_rows(rows)
    for first, second in np.ndindex(60, 60):
        assert (numbers[first] == numbers[second]) == np.array_equal(rows[first], rows[second])


def test_numbers_follow_first_appearance() -> None:
    assert number_rows(np.array([[7], [3], [7], [9], [3]])).tolist() == [0, 1, 0, 2, 1]


def test_numbering_numbers_changes_nothing() -> None:
    numbers = number_rows(np.random.default_rng(1).integers(0, 5, (40, 1)))
    assert np.array_equal(number_rows(numbers[:, None]), numbers)


def test_rows_may_lie_apart_in_memory() -> None:
    rows = np.array([[1, 0, 2, 0], [1, 5, 2, 5]])[:, ::2]
    assert number_rows(rows).tolist() == [0, 0]
