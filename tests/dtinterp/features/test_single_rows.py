import numpy as np
import pytest
import torch

from dtinterp.activations.harvest import Activations
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import Dictionary, encode_dense, reconstruct
from dtinterp.dictionary.fit import fit
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.features.single_rows import TokenErrors, seen_in, token_errors
from dtinterp.foundation.errors import UserError


def test_errors_are_those_of_a_loop_and_their_mean_is_the_fvu(dictionary: Dictionary, activations: Activations) -> None:
    rows = activations.value
    found = token_errors(dictionary, rows)

    mean = rows.mean(dim=0)
    spread = sum(float((row - mean).double().square().sum()) for row in rows) / len(rows)
    made = reconstruct(dictionary, rows)
    for place in range(0, len(rows), 37):
        expected = float((rows[place] - made[place]).double().square().sum()) / spread
        assert float(found.error[place]) == pytest.approx(expected, rel=1e-4)
    fvu = (rows - made).square().sum() / (rows - mean).square().sum()
    assert found.fvu == pytest.approx(float(fvu), rel=1e-4)


def test_the_number_of_active_features_is_counted_by_row(dictionary: Dictionary, activations: Activations) -> None:
    assert int(token_errors(dictionary, activations.value).l0.max()) <= 4


def test_the_worst_rows_are_one_for_each_frame_and_outliers_are_counted() -> None:
    error = torch.cat([torch.linspace(0.1, 0.2, 50), torch.tensor([5.0, 9.0, 7.0])])
    errors = TokenErrors(error, torch.ones(53, dtype=torch.int64))
    frame_id = torch.cat([torch.zeros(50, dtype=torch.int64), torch.tensor([1, 1, 2])])

    assert errors.worst(frame_id, 5).tolist() == [51, 52, 49]
    assert errors.worst(frame_id, 1).tolist() == [51]
    assert errors.n_outliers == 3


def test_even_errors_have_no_outliers_whatever_their_size() -> None:
    for error in (torch.linspace(1, 2, 100), torch.logspace(-9, 0, 100)):
        errors = TokenErrors(error, torch.ones(100, dtype=torch.int64))
        assert errors.n_outliers == 0


def test_rows_that_are_all_the_same_are_refused(dictionary: Dictionary) -> None:
    with pytest.raises(UserError, match="all 3 rows are the same"):
        token_errors(dictionary, torch.ones(3, 32))


def test_rows_that_are_no_outliers_are_thinned_evenly() -> None:
    error = torch.cat([torch.rand(5000, generator=torch.Generator().manual_seed(0)), torch.tensor([50.0, 60.0])])
    errors = TokenErrors(error, torch.ones(5002, dtype=torch.int64))
    shown = errors.thinned(300)
    assert len(shown) == 300
    assert float(errors.error[shown].max()) < 50
    np.testing.assert_allclose(errors.error[shown].sort().values, np.linspace(0, 1, 300), atol=0.03)


def test_features_are_those_of_the_dense_code_by_how_far_they_move_the_row(
    dictionary: Dictionary, activations: Activations
) -> None:
    row = activations.value[17]
    found = seen_in(dictionary, row, n_most=100)

    dense = encode_dense(dictionary, row[None])[0]
    assert {each.feature for each in found.features} == set(dense.nonzero().squeeze(1).tolist())
    assert found.l0 == len(found.features)
    lengths = [each.length for each in found.features]
    assert lengths == sorted(lengths, reverse=True)
    for each in found.features:
        assert each.value == pytest.approx(float(dense[each.feature]))
        moved = dictionary.scale * each.value * dictionary.W_dec[each.feature]
        assert each.length == pytest.approx(float(moved.norm()), rel=1e-5)
    missed = (row - reconstruct(dictionary, row[None])[0]).norm() / row.norm()
    assert found.error == pytest.approx(float(missed), rel=1e-4)


def test_no_more_features_are_listed_than_asked_for(activations: Activations) -> None:
    linear = fit(
        activations.value, FitConfig(Pca(6)), generator=torch.Generator().manual_seed(0), site=activations.site
    )
    full = seen_in(linear, activations.value[3], n_most=2)
    assert (full.name, full.site) == (linear.name, activations.site)
    assert full.l0 == 6
    assert len(full.features) == 2
