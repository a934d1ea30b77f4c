from itertools import combinations

import pytest
import torch

from dtinterp.adversaries.strategies.ranking import ascending, batched

GAINS = torch.tensor([0.3, -1.0, 0.1, 2.0, -0.4, 0.1])


@pytest.mark.parametrize("most", [1, 2, 3, 6, 8])
def test_every_set_comes_once_in_ascending_order_of_its_sum(most):
    found = list(ascending(GAINS, most))
    expected = [each for size in range(1, most + 1) for each in combinations(range(6), size)]
    assert sorted(edits for _, edits in found) == sorted(expected)
    sums = [total for total, _ in found]
    assert sums == sorted(sums)
    for total, edits in found:
        assert total == pytest.approx(float(GAINS[list(edits)].sum()), abs=1e-6)


def test_batches_are_rows_with_room_for_the_largest_set():
    parts = list(batched(ascending(GAINS, 2), 8, 2))
    assert [len(sets) for _, sets in parts] == [8, 8, 5]
    assert parts[0][1][:2].tolist() == [[1, 4], [1, -1]]
    assert parts[0][0][:2] == pytest.approx([-1.4, -1.0])


def test_there_is_nothing_to_rank_without_edits():
    assert list(ascending(torch.zeros(0), 2)) == []
