import pytest
import torch

from dtinterp.activations.harvest import Activations
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import Dictionary, encode_dense, reconstruct
from dtinterp.dictionary.fit import fit
from dtinterp.dictionary.kinds import Pca
from dtinterp.features.side_by_side import seen_in


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
