"""What stands in for a layer, against the formula written out."""

from dataclasses import replace

import pytest
import torch

from dtinterp.dictionary.dictionary import RowMap, encode, reconstruct
from dtinterp.dictionary.kinds.maps.linear import Linear
from dtinterp.dictionary.kinds.maps.transcoder import SkipTranscoder, Transcoder
from dtinterp.foundation.errors import UserError

D, WIDTH, K = 5, 7, 2


def _map(kind=None, width=WIDTH):
    rng = torch.Generator().manual_seed(0)
    kind = SkipTranscoder(K) if kind is None else kind
    width = 0 if isinstance(kind, Linear) else width
    return RowMap(
        W_enc=torch.randn(D, width, generator=rng),
        b_enc=torch.randn(width, generator=rng),
        W_dec=torch.randn(width, D, generator=rng),
        b_dec=torch.randn(D, generator=rng),
        b_in=torch.randn(D, generator=rng),
        scale_in=torch.tensor(2.0),
        scale_out=torch.tensor(3.0),
        kind=kind,
        site="blocks.0.mlp",
        name="random",
        W_skip=torch.randn(D, D, generator=rng) if kind.has_skip else None,
    )


@pytest.mark.parametrize("kind", [Linear(), Transcoder(K), SkipTranscoder(K)], ids=lambda kind: type(kind).__name__)
def test_a_row_is_mapped_as_the_formula_says(kind):
    row_map, rows = _map(kind), torch.randn(9, D, generator=torch.Generator().manual_seed(1))
    made = reconstruct(row_map, rows)
    for row, found in zip(rows, made, strict=True):
        x = row / 2 - row_map.b_in
        expected = row_map.b_dec.clone()
        activation = x @ row_map.W_enc + row_map.b_enc
        for feature in sorted(range(row_map.width), key=lambda feature: -activation[feature])[:K]:
            expected += max(0.0, float(activation[feature])) * row_map.W_dec[feature]
        if row_map.W_skip is not None:
            expected += x @ row_map.W_skip
        torch.testing.assert_close(found, 3 * expected)


def test_a_linear_map_has_no_feature():
    assert encode(_map(Linear()), torch.ones(4, D)).index.shape == (4, 0)


def test_known_codes_save_the_encoding():
    rows = torch.randn(4, D)
    row_map = _map()
    torch.testing.assert_close(reconstruct(row_map, rows, encode(row_map, rows)), reconstruct(row_map, rows))


def test_rows_of_another_length_are_refused():
    with pytest.raises(UserError, match="The rows have length 4, expected 5"):
        reconstruct(_map(), torch.ones(2, 4))


def test_rows_with_nan_are_refused():
    with pytest.raises(UserError, match="1 of 2 rows hold NaN"):
        reconstruct(_map(), torch.tensor([[1.0] * D, [torch.nan] * D]))


def test_parts_that_disagree_are_refused():
    with pytest.raises(UserError, match=r"W_skip of 'random' has shape None, expected \(5, 5\)"):
        replace(_map(), W_skip=None)


def test_a_transcoder_without_a_skip_path_has_none():
    with pytest.raises(UserError, match=r"W_skip of 'random' has shape \(5, 5\), expected None"):
        replace(_map(), kind=Transcoder(K))


def test_weights_that_are_not_finite_are_refused():
    with pytest.raises(UserError, match="weights that are not finite"):
        replace(_map(), b_in=torch.full((D,), torch.inf))


@pytest.mark.parametrize("kind", [Transcoder, SkipTranscoder])
def test_a_k_below_one_is_refused(kind):
    with pytest.raises(UserError, match="ranscoder has k=0, expected at least 1"):
        kind(0)


def test_a_k_beyond_the_width_is_refused():
    with pytest.raises(UserError, match="has k=9, expected at most the width 7"):
        replace(_map(), kind=SkipTranscoder(9))
