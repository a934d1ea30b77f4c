import pytest
import torch

from dtinterp.equivalence.explain.distances.cosine import raw_cosine


def test_raw_cosine_is_that_of_two_vectors_at_a_time(frames_of):
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)) + 1
    table = raw_cosine(frames_of(x)).maximum
    for a in range(5):
        for b in range(5):
            cosine = float(x[a] @ x[b] / x[a].norm() / x[b].norm())
            assert table[a, b].item() == pytest.approx((1 - cosine) / 2, abs=1e-6)
