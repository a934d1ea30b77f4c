from math import exp, log

import pytest
import torch

from dtinterp.dictionary.rows import distinct
from dtinterp.dictionary.rows.distinct import RELATIVE_TOLERANCE, distinct_rows, effective_rank_of, rank_of


def _repeated(n_distinct: int, n_rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(n_distinct, 20, generator=generator)
    member = torch.cat(
        [torch.arange(n_distinct), torch.randint(n_distinct, (n_rows - n_distinct,), generator=generator)]
    )
    return table, member


def test_repeated_rows_are_found_and_counted() -> None:
    table, member = _repeated(50, 2000)
    found = distinct_rows(table[member])
    assert torch.equal(found.value, table)
    assert torch.equal(found.member, member)
    assert torch.equal(found.count, torch.bincount(member))


def test_the_table_with_its_members_gives_back_the_rows() -> None:
    table, member = _repeated(30, 300)
    rows = table[member]
    found = distinct_rows(rows)
    assert torch.equal(found.value[found.member], rows)


def test_rounding_noise_makes_no_new_row() -> None:
    table, member = _repeated(50, 5000)
    noise = torch.rand(5000, 20, generator=torch.Generator().manual_seed(1)) - 0.5
    found = distinct_rows(table[member] + RELATIVE_TOLERANCE * noise)
    assert torch.equal(found.member, member)


@pytest.mark.parametrize("part", [7, 60, 1999])
def test_rows_taken_in_parts_are_those_taken_at_once(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    table, member = _repeated(50, 2000)
    rows = table[member[torch.randperm(2000, generator=torch.Generator().manual_seed(2))]]
    at_once = distinct_rows(rows)
    monkeypatch.setattr(distinct, "PART", part)
    in_parts = distinct_rows(rows)
    for name in ("value", "count", "member"):
        assert torch.equal(getattr(in_parts, name), getattr(at_once, name))


def test_rows_that_mingle_in_the_sorted_order_are_told_apart() -> None:
    direction = torch.sin(torch.tensor([1.0, 4.0], dtype=torch.float64))  # what rows of length two are sorted along
    across = torch.stack([-direction[1], direction[0]]).float()
    member = torch.arange(40) % 2
    noise = torch.rand(40, 2, generator=torch.Generator().manual_seed(0))
    rows = 2**20 * torch.stack([torch.zeros(2), across])[member] + noise  # only the noise orders them
    assert torch.equal(distinct_rows(rows).member, member)


def test_rows_that_differ_in_one_coordinate_stay_apart() -> None:
    rows = torch.ones(2, 20)
    rows[1, 7] += 1e-3
    assert len(distinct_rows(rows).value) == 2


def test_a_single_row_is_distinct() -> None:
    found = distinct_rows(torch.ones(1, 4))
    assert found.count.tolist() == [1]
    assert found.member.tolist() == [0]


def test_rows_of_zero_are_one_row() -> None:
    assert len(distinct_rows(torch.zeros(5, 4)).value) == 1


def test_the_rank_of_planted_rows_is_known() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(200, 5, generator=generator) @ torch.randn(5, 30, generator=generator)
    assert rank_of(rows) == 5


def test_rows_of_zero_have_rank_zero() -> None:
    assert rank_of(torch.zeros(4, 3)) == 0


def test_equally_strong_directions_all_count_in_the_effective_rank() -> None:
    rows = torch.cat([torch.eye(7), -torch.eye(7)])
    assert effective_rank_of(rows) == pytest.approx(7)


def test_one_strong_direction_lowers_the_effective_rank() -> None:
    rows = torch.cat([torch.eye(3), -torch.eye(3)]) * torch.tensor([1.0, 1.0, 98.0])
    expected = exp(-(2 * 0.01 * log(0.01) + 0.98 * log(0.98)))
    assert effective_rank_of(rows + 5) == pytest.approx(expected, rel=1e-5)


def test_rows_that_are_all_alike_have_no_effective_rank() -> None:
    assert effective_rank_of(torch.full((5, 3), 0.1)) == 0
