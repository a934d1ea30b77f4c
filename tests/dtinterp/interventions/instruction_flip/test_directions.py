import numpy as np
import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.instruction_flip.directions import instruction_direction
from dtinterp.model.network.transformer import DecisionTransformer
from environments.vocabulary import item_index

CELLS = [(4, 2), (4, 3), (0, 5), (2, 6)]


@pytest.fixture
def W_obs() -> Float32[Tensor, "item d_model"]:
    return torch.randn(980, 12, generator=torch.Generator().manual_seed(0))


def _embeddings(W_obs: Tensor) -> np.ndarray:
    names = [f"{thing} ({x},{y})" for thing in ("key", "ball") for x, y in CELLS]
    return W_obs[[item_index(name) for name in names]].double().numpy()


def test_the_component_is_the_leading_eigenvector_of_the_covariance(W_obs: Tensor) -> None:
    embeddings = _embeddings(W_obs)
    values, vectors = np.linalg.eigh(np.cov(embeddings.T, bias=True))
    found = instruction_direction(W_obs, CELLS)
    assert abs(found.vector.double().numpy() @ vectors[:, -1]) == pytest.approx(1, abs=1e-5)
    shares = values[::-1][:8] / values.sum()
    assert found.variance_share.numpy() == pytest.approx(shares, abs=1e-5)
    assert found.explained == pytest.approx(shares[0], abs=1e-5)
    centred = embeddings - embeddings.mean(axis=0)
    expected = (centred @ found.vector.double().numpy()).reshape(2, 4)
    assert found.item_projection.numpy() == pytest.approx(expected, abs=1e-5)


def test_a_planted_direction_is_found(planted_model: DecisionTransformer, planted_direction: Tensor) -> None:
    for recipe in ("first_component", "difference_of_means"):
        found = instruction_direction(planted_model.W_obs, CELLS, recipe)
        assert found.vector @ planted_direction > 0.999
        assert found.explained > 0.99
        assert found.is_separating


def test_keys_are_positive_whichever_way_the_decomposition_turns() -> None:
    for seed in range(12):
        found = instruction_direction(torch.randn(980, 12, generator=torch.Generator().manual_seed(seed)), CELLS)
        assert found.item_projection[0].mean() > found.item_projection[1].mean()
        assert found.vector.norm().item() == pytest.approx(1)


def test_the_difference_of_means_ignores_what_cells_add_to_all_their_items(W_obs: Tensor) -> None:
    """Items of a cell and channel sum to one in every frame, so a vector common to them cannot be told from data."""
    shifted = W_obs.clone()
    for x, y in CELLS:
        for thing in ("key", "ball"):
            shifted[item_index(f"{thing} ({x},{y})")] += torch.full((12,), float(x))
    plain, moved = (instruction_direction(each, CELLS, "difference_of_means").vector for each in (W_obs, shifted))
    torch.testing.assert_close(plain, moved, atol=1e-5, rtol=0)
    assert instruction_direction(W_obs, CELLS).vector @ instruction_direction(shifted, CELLS).vector < 0.9


def test_the_difference_of_means_is_what_it_says(W_obs: Tensor) -> None:
    embeddings = _embeddings(W_obs)
    gap = embeddings[:4].mean(axis=0) - embeddings[4:].mean(axis=0)
    found = instruction_direction(W_obs, CELLS, "difference_of_means")
    assert found.vector.double().numpy() == pytest.approx(gap / np.linalg.norm(gap), abs=1e-5)
    assert found.explained <= found.variance_share[0] + 1e-6


def test_a_direction_does_not_depend_on_the_length_of_embeddings(W_obs: Tensor) -> None:
    for recipe in ("first_component", "difference_of_means"):
        plain, small = (instruction_direction(each, CELLS, recipe) for each in (W_obs, W_obs / 1000))
        torch.testing.assert_close(small.vector, plain.vector)
        torch.testing.assert_close(small.item_projection, plain.item_projection / 1000)


def test_noise_does_not_separate_keys_from_balls(W_obs: Tensor) -> None:
    assert not instruction_direction(W_obs, CELLS).is_separating


def test_equal_embeddings_have_no_instruction() -> None:
    with pytest.raises(UserError, match="keys and balls have equal embeddings at these cells"):
        instruction_direction(torch.ones(980, 4), CELLS)
