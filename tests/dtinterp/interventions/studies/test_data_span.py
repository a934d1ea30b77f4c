import pytest
import torch

from dtinterp.interventions.studies.data_span import span_of, span_shares


def test_the_span_is_what_rows_vary_in():
    basis = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0))).Q[:3]
    rows = torch.randn(20, 3, generator=torch.Generator().manual_seed(1)) @ basis + 5
    found = span_of(rows)
    assert found.shape == (3, 8)
    torch.testing.assert_close(basis @ found.T @ found, basis, atol=1e-4, rtol=0)


def test_the_planted_direction_acts_by_what_rows_vary_in(exchange, planted_direction):
    (found,) = span_shares(exchange, {"planted": planted_direction})
    assert found.share > 0.95
    assert found.restored == pytest.approx(1, abs=0.05)
    assert found.within == pytest.approx(1, abs=0.05)
    assert abs(found.beyond) < 0.2
    assert not found.is_illusion
    assert found.turned.estimate == 1


def test_an_illusion_is_told(exchange, planted_direction):
    """A direction that rows hardly vary in, mixed with the one that is read, where data are said to lack the latter."""
    silent = span_of(exchange.rows)
    silent = silent - (silent @ planted_direction)[:, None] * planted_direction  # data without what is read
    aside = silent[0] / silent[0].norm()
    mixed = (planted_direction + aside) / 2**0.5
    data = torch.outer(torch.linspace(-1, 1, 9), aside)
    (found,) = span_shares(exchange, {"mixed": mixed}, data=data)
    assert found.share == pytest.approx(0.5, abs=0.05)
    assert abs(found.within) < 0.2
    assert found.beyond > 2 * abs(found.within)


def test_what_lies_outside_altogether_does_nothing(exchange):
    basis = span_of(exchange.rows)
    outside = torch.linalg.svd(basis).Vh[-1]
    (found,) = span_shares(exchange, {"outside": outside})
    assert found.share == pytest.approx(0, abs=1e-6)
    assert found.restored == pytest.approx(0, abs=1e-4)
    assert found.turned.estimate == 0
