import numpy as np
import pytest
import torch

from dtinterp.activations.harvest import Activations
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.features.truth.structure import correlation_structure, effective_dimension, participation


def test_correlations_are_numpys_and_variables_that_do_not_vary_are_left_out() -> None:
    values = torch.randn(200, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values[:, 3] = values[:, 0] * 2 + 1
    values[:, 4] = 7.0
    found = correlation_structure(values, ["a", "b", "c", "d", "e"])

    matrix = np.corrcoef(values[:, :4].numpy().T)
    above = matrix[np.triu_indices(4, 1)]
    assert found.n_variables == 4
    assert found.mean_absolute == pytest.approx(np.abs(above).mean())
    assert found.strong_share == pytest.approx(1 / 6)
    assert found.dimension == pytest.approx(16 / np.square(matrix).sum())
    assert (found.together[0].one, found.together[0].other) == ("a", "d")
    assert found.together[0].correlation == pytest.approx(1)
    assert found.apart[0].correlation == pytest.approx(above.min())


def test_copies_of_one_variable_have_one_dimension_and_independent_ones_all() -> None:
    draws = torch.randn(100_000, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert correlation_structure(draws[:, :1].repeat(1, 6), list("abcdef")).dimension == pytest.approx(1)
    assert correlation_structure(draws, list("abcdef")).dimension == pytest.approx(6, abs=0.01)


def test_one_variable_has_no_pairs() -> None:
    found = correlation_structure(torch.rand(10, 1, dtype=torch.float64), ["a"])
    assert (found.n_variables, found.mean_absolute, found.together) == (1, 0.0, ())


def test_participation_counts_equal_parts() -> None:
    energy = torch.tensor([[1.0, 1, 1, 0], [5, 0, 0, 0], [0, 0, 0, 0]], dtype=torch.float64)
    assert float(participation(energy)) == pytest.approx((3 + 1) / 2)
    assert float(participation(energy[2:])) == 0


def test_dimensions_are_those_of_a_loop_over_rows(dictionary: Dictionary, activations: Activations) -> None:
    rows = activations.value[:40]
    found = effective_dimension(dictionary, rows)

    centred = (rows - rows.mean(dim=0)).double()
    variance = torch.linalg.eigvalsh(centred.T @ centred)
    assert found.coordinates == pytest.approx(float(variance.sum() ** 2 / variance.square().sum()), rel=1e-4)
    shares = []
    for code in encode_dense(dictionary, rows).double():
        energy = [float(z**2 * d.double().norm() ** 2) for z, d in zip(code, dictionary.W_dec, strict=True)]
        if sum(energy) > 0:
            shares.append(sum(energy) ** 2 / sum(each**2 for each in energy))
    assert found.features_per_row == pytest.approx(sum(shares) / len(shares), rel=1e-4)
    assert found.features_per_row <= 4 + 1e-9
