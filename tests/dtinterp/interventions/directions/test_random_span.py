import pytest
import torch


@pytest.mark.parametrize("span", ["items", "rows", "sphere"])
def test_the_same_seed_draws_the_same_directions(find, span):
    found = find("random", span=span, n=5)
    assert found.vectors.shape == (5, 32)
    assert torch.equal(found.vectors, find("random", span=span, n=5).vectors)
    assert not torch.allclose(found.vectors, find("random", {"seed": 1}, span=span, n=5).vectors)


def test_the_span_of_rows_is_where_they_differ(find, material):
    chosen = material.windows
    rows = chosen.items[chosen.windows.frame_id[:, 5]] @ material.subject.model.W_obs.detach()
    basis = torch.linalg.svd(rows - rows.mean(dim=0), full_matrices=False).Vh[:3]
    found = find("random", span="rows", frame="first", n=20).vectors
    torch.testing.assert_close((found @ basis.T).norm(dim=1), torch.ones(20), atol=1e-4, rtol=0)
    sphere = find("random", span="sphere", n=20).vectors
    assert float((sphere @ basis.T).norm(dim=1).max()) < 0.9


def test_the_span_of_items_holds_the_planted_direction_and_the_sphere_hardly(find, planted_direction):
    """Keys and balls differ most along it."""
    shares = [
        float((find("random", span=span, n=50).vectors @ planted_direction).abs().mean())
        for span in ("items", "sphere")
    ]
    assert shares[0] > 2 * shares[1]
