import numpy as np
import torch

from dtinterp.dictionary.autoencoder import Batch
from dtinterp.dictionary.principal import principal_components


def _rows() -> torch.Tensor:
    return torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 2, 3, 4, 5, 6]) + 7


def test_components_are_the_right_singular_vectors_of_the_centred_rows() -> None:
    rows = _rows()
    components = principal_components(Batch(rows, torch.full((50,), 1 / 50)), 4).numpy()
    right = np.linalg.svd((rows - rows.mean(dim=0)).numpy(), full_matrices=False)[2][:4]
    np.testing.assert_allclose(np.abs((components * right).sum(axis=1)), np.ones(4), rtol=1e-5)


def test_components_are_orthonormal() -> None:
    components = principal_components(Batch(_rows(), torch.full((50,), 1 / 50)), 6)
    torch.testing.assert_close(components @ components.T, torch.eye(6), rtol=0, atol=1e-5)


def test_weights_act_like_repetitions() -> None:
    rows = _rows()
    count = 1 + 9 * (rows[:, 5] > 10).long()  # the heavy rows lie on one side
    weighted = principal_components(Batch(rows, count / count.sum()), 3)
    repeated_rows = rows.repeat_interleave(count, dim=0)
    n_rows = len(repeated_rows)
    repeated = principal_components(Batch(repeated_rows, torch.full((n_rows,), 1 / n_rows)), 3)
    torch.testing.assert_close((weighted * repeated).sum(dim=1).abs(), torch.ones(3), rtol=0, atol=1e-5)
