from itertools import combinations
from math import comb, log2

import pytest
import torch

from dtinterp.features.labels.code_length import saved_bits


def test_saved_bits_are_the_difference_of_two_enumerations() -> None:
    n, k, m, t = 12, 5, 4, 3
    found = saved_bits(torch.tensor(t), torch.tensor(m), n_fires=torch.tensor(k), n_rows=n)

    expected = log2(comb(n, k)) - log2(min(m, k) + 1) - log2(comb(m, t)) - log2(comb(n - m, k - t))
    assert float(found) == pytest.approx(expected, abs=1e-5)


def test_a_label_that_says_it_all_saves_all_but_the_count() -> None:
    found = saved_bits(torch.tensor(5), torch.tensor(5), n_fires=torch.tensor(5), n_rows=100)

    assert float(found) == pytest.approx(log2(comb(100, 5)) - log2(6), abs=1e-4)


@pytest.mark.parametrize(("n", "k", "m"), [(12, 4, 4), (14, 3, 6), (10, 5, 1)])
def test_of_all_patterns_no_more_than_two_to_the_minus_b_save_b_bits(n: int, k: int, m: int) -> None:
    said = set(range(m))
    overlap = torch.tensor([len(said & set(pattern)) for pattern in combinations(range(n), k)])
    saved = saved_bits(overlap, torch.full_like(overlap, m), n_fires=torch.full_like(overlap, k), n_rows=n)

    for bits in (0.5, 1.0, 2.0, 4.0, 8.0):
        assert float((saved >= bits).double().mean()) <= 2**-bits
    assert float((2.0 ** saved.double()).mean()) <= 1 + 1e-6  # Kraft's inequality, of which that follows
