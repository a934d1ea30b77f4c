import pytest
import torch
from torch import Tensor

from dtinterp.dictionary.codes import Codes
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.reconstruction import Reconstruction, is_among


def test_rows_of_the_fit_are_known_again(rows: Tensor) -> None:
    assert is_among(torch.cat([rows[30:], rows[:5] + 1]), rows[:35]).tolist() == [True] * 5 + [False] * 10


def test_the_error_of_a_row_is_a_share_of_the_variance(dictionary: Dictionary, rows: Tensor) -> None:
    found = Reconstruction.by(dictionary, rows, rows)
    error, mean = found.errors["error"] / found.errors["spread"].mean(), rows.mean(dim=0)
    for row, made, own in zip(rows, found.made, error, strict=True):
        spread = sum(float((other - mean) @ (other - mean)) for other in rows) / len(rows)
        assert float(own) == pytest.approx(float((row - made) @ (row - made)) / spread, rel=1e-4)
    assert found.fvu == pytest.approx(float(error.mean()))


def test_float64_loses_nothing_in_differences() -> None:
    rows = torch.tensor([[4096.0, 1.0], [4096.0, 0.0]])
    found = Reconstruction(rows, rows + torch.tensor([2.0**-11, 0]), Codes(torch.zeros(2, 0).long(), rows[:, :0]), 0)
    assert found.double().errors["error"].tolist() == [2.0**-22] * 2
    assert found.dead_share == 0


def test_a_row_of_zeros_has_no_direction() -> None:
    rows = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    found = Reconstruction(rows, 2 * rows, Codes(torch.zeros(2, 0).long(), rows[:, :0]), 0)
    assert found.cosine.tolist() == pytest.approx([0, 1])
