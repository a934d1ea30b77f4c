import jaxtyping
import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from sklearn.linear_model import orthogonal_mp
from torch import Tensor

from dtinterp.dictionary.codes import Codes, active, every, largest, nonnegative, pursue


def _dense(codes: Codes, width: int) -> Tensor:
    return torch.zeros(len(codes.index), width).scatter_add(1, codes.index, codes.value)


def _rows_and_directions(width: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(width, 8, generator=generator), dim=1)
    return torch.randn(30, 8, generator=generator), directions


def test_codes_need_a_value_for_every_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside of tests
    with pytest.raises(ValueError, match=r"codes have \(2, 3\) indices and \(2, 2\) values"):
        Codes(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 2))


def test_active_codes_hold_what_is_above_zero() -> None:
    activation = torch.randn(10, 6, generator=torch.Generator().manual_seed(0)).relu()
    codes = active(activation)
    assert torch.equal(_dense(codes, 6), activation)
    assert codes.index.shape[1] == (activation > 0).sum(dim=1).max()


def test_rows_without_activation_have_room_for_one() -> None:
    assert active(torch.zeros(3, 4)).n_active.tolist() == [0, 0, 0]


def test_every_activation_may_have_a_sign() -> None:
    activation = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(_dense(every(activation), 4), activation)


def test_the_largest_come_first() -> None:
    assert largest(torch.tensor([[1.0, 3.0, 2.0]]), 2).index.tolist() == [[1, 2]]


@pytest.mark.parametrize("k", [1, 3, 6])
def test_matching_pursuit_is_that_of_scikit_learn(k: int) -> None:
    rows, directions = _rows_and_directions()
    expected = orthogonal_mp(directions.T.double().numpy(), rows.T.double().numpy(), n_nonzero_coefs=k)
    found = _dense(pursue(rows, directions, k), 12)
    np.testing.assert_allclose(found.numpy(), np.asarray(expected).T, rtol=1e-3, atol=1e-4)


def test_the_length_of_a_direction_does_not_matter_to_pursuit() -> None:
    rows, directions = _rows_and_directions()
    scale = torch.linspace(0.5, 4, 12)[:, None]
    found = _dense(pursue(rows, scale * directions, 3), 12) @ (scale * directions)
    torch.testing.assert_close(found, _dense(pursue(rows, directions, 3), 12) @ directions, rtol=1e-4, atol=1e-5)


def test_pursuit_stops_where_nothing_is_left() -> None:
    _, directions = _rows_and_directions()
    rows = torch.stack([2 * directions[3], torch.zeros(8)])
    found = _dense(pursue(rows, directions, 4), 12)
    torch.testing.assert_close(found[0], torch.zeros(12).index_fill(0, torch.tensor([3]), 2.0), rtol=0, atol=1e-5)
    assert (found[1] == 0).all()


def test_pursuit_takes_up_a_direction_but_once() -> None:
    rows, _ = _rows_and_directions()
    twins = torch.eye(8)[:1].repeat(5, 1)
    codes = pursue(rows, twins, 4)
    assert (codes.n_active == 1).all()
    torch.testing.assert_close(_dense(codes, 5) @ twins, rows * torch.eye(8)[0])


@pytest.mark.parametrize("width", [5, 12])
def test_nonnegative_codes_leave_the_least_error(width: int) -> None:
    rows, directions = _rows_and_directions(width)
    found = nonnegative(rows, directions)
    assert (found >= 0).all()
    for row, code in zip(rows, found, strict=True):
        least = nnls(directions.T.double().numpy(), row.double().numpy())[1]
        assert float((row - code @ directions).norm()) == pytest.approx(least, rel=1e-3, abs=1e-4)
