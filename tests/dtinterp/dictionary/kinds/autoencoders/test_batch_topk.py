import pytest
import torch

from dtinterp.dictionary.kinds.autoencoders.batch_topk import batch_threshold
from dtinterp.dictionary.rows.batches import Batch

MEMBERS, N_ROWS, WIDTH = 2, 30, 8
K = torch.tensor([2.0, 3.0])


def _batch(weight: torch.Tensor) -> Batch:
    return Batch(torch.randn(N_ROWS, 4, generator=torch.Generator().manual_seed(0)), weight / weight.sum())


def _activation() -> torch.Tensor:
    return torch.rand(MEMBERS, N_ROWS, WIDTH, generator=torch.Generator().manual_seed(1))


def test_a_batch_has_k_activations_a_row_above_its_threshold() -> None:
    threshold = batch_threshold(_activation(), _batch(torch.ones(N_ROWS)), K)
    assert (_activation() > threshold[:, None, None]).sum(dim=(1, 2)).tolist() == [2 * N_ROWS, 3 * N_ROWS]


def test_weighted_rows_fill_k_a_row_one_activation_after_the_other() -> None:
    weight = torch.rand(N_ROWS, generator=torch.Generator().manual_seed(2))
    batch, activation = _batch(weight), _activation()
    threshold = batch_threshold(activation, batch, K)
    for member, k in enumerate(K.tolist()):
        entries = [(float(activation[member, row, f]), row) for row in range(N_ROWS) for f in range(WIDTH)]
        total, level = 0.0, 0.0
        for value, row in sorted(entries, reverse=True):
            total += float(batch.weight[row])
            if total > k:
                level = value
                break
        assert float(threshold[member]) == pytest.approx(level, abs=1e-5)


def test_the_threshold_is_zero_where_few_activations_are_positive() -> None:
    activation = torch.zeros(1, N_ROWS, WIDTH)
    activation[0, 3, 2] = 1.0
    assert float(batch_threshold(activation, _batch(torch.ones(N_ROWS)), K[:1])) == 0
