"""Maps between rows, against layers that are known."""

from dataclasses import replace

import pytest
import torch

from dtinterp.dictionary.config import FitProgress, Watch
from dtinterp.dictionary.maps import Linear, SkipTranscoder, Transcoder, apply_map, encode_map
from dtinterp.dictionary.transcoding import MapConfig, Pairs, fit_map
from dtinterp.foundation.errors import UserError

D, N = 8, 3000


def _rows(n=N):
    return torch.randn(n, D, generator=torch.Generator().manual_seed(0)) + 0.7


def _layer():
    """A linear layer with a shift."""
    rng = torch.Generator().manual_seed(1)
    matrix, shift = torch.randn(D, D, generator=rng), torch.randn(D, generator=rng)
    return lambda rows: rows @ matrix + shift


def _sparse_layer():
    """Twelve neurons that fire rarely, whose outgoing directions are known, beside a linear path."""
    rng = torch.Generator().manual_seed(2)
    read = torch.nn.functional.normalize(torch.randn(D, 12, generator=rng), dim=0)
    write = torch.nn.functional.normalize(torch.randn(12, D, generator=rng), dim=1)
    matrix = torch.randn(D, D, generator=rng) / 2
    return (lambda rows: 3 * (rows @ read - 1.5).relu() @ write + rows @ matrix), read, write


def _fit(pairs, config):
    return fit_map(pairs, config, generator=torch.Generator().manual_seed(3))


def _fvu(row_map, pairs):
    error = (apply_map(row_map, pairs.inputs) - pairs.outputs).square().sum()
    return float(error / (pairs.outputs - pairs.outputs.mean(dim=0)).square().sum())


def test_a_linear_layer_is_found_exactly():
    rows = _rows()
    pairs = Pairs(rows, _layer()(rows))
    assert _fvu(_fit(pairs, MapConfig(Linear())), pairs) < 1e-8


def test_the_linear_map_is_that_of_a_slow_solver():
    rows = _rows(200)
    layer, *_ = _sparse_layer()
    weights = torch.arange(200) % 4
    pairs = Pairs(rows, layer(rows), weights=weights)
    repeated = rows.repeat_interleave(weights, dim=0)
    ones = torch.ones(len(repeated), 1)
    solution = torch.linalg.lstsq(torch.cat([repeated, ones], dim=1).double(), layer(repeated).double()).solution
    expected = torch.cat([rows, torch.ones(200, 1)], dim=1).double() @ solution
    torch.testing.assert_close(apply_map(_fit(pairs, MapConfig(Linear())), rows).double(), expected, atol=1e-4, rtol=0)


def test_a_direction_without_data_maps_to_nothing():
    rows = _rows()
    rows[:, 0] = 0
    found = _fit(Pairs(rows, _layer()(rows)), MapConfig(Linear()))
    moved = rows.clone()
    moved[:, 0] = 1
    torch.testing.assert_close(apply_map(found, moved), apply_map(found, rows), atol=1e-2, rtol=0)


def test_a_skip_transcoder_beats_the_linear_map_and_a_transcoder_without_the_path():
    rows = _rows()
    layer, *_ = _sparse_layer()
    pairs = Pairs(rows, layer(rows))
    shape = {"width": 24, "n_steps": 600}
    skip = _fvu(_fit(pairs, MapConfig(SkipTranscoder(4), **shape)), pairs)
    assert skip < 0.5 * _fvu(_fit(pairs, MapConfig(Linear())), pairs)
    assert skip < 0.5 * _fvu(_fit(pairs, MapConfig(Transcoder(4), **shape)), pairs)


def test_the_neurons_of_a_sparse_layer_are_recovered_if_they_fire_now_and_then():
    rows = _rows()
    layer, read, write = _sparse_layer()
    found = _fit(Pairs(rows, layer(rows)), MapConfig(SkipTranscoder(4), width=24, n_steps=1500))
    cosine = (write @ found.W_dec.T).amax(dim=1)
    fires = (rows @ read > 1.5).float().mean(dim=0) > 0.02
    assert int(fires.sum()) == 8
    assert float(cosine[fires].min()) > 0.95


def test_no_row_uses_more_than_k_features():
    rows = _rows(300)
    found = _fit(Pairs(rows, _sparse_layer()[0](rows)), MapConfig(Transcoder(3), width=16, n_steps=30))
    assert int((encode_map(found, rows).value > 0).sum(dim=1).max()) <= 3


def test_the_same_seed_gives_the_same_bits():
    rows = _rows(2000)
    pairs, config = Pairs(rows, _sparse_layer()[0](rows)), MapConfig(width=16, n_steps=20)
    one, other = _fit(pairs, config), _fit(pairs, config)
    assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)
    assert not torch.equal(_fit(pairs, replace(config, member=1)).W_enc, one.W_enc)


def test_progress_is_told():
    rows, told = _rows(200), list[FitProgress]()
    fit_map(
        Pairs(rows, _layer()(rows)),
        MapConfig(width=16, n_steps=10),
        generator=torch.Generator(),
        watch=Watch(told.append),
    )
    assert [each.step for each in told] == list(range(1, 11))
    assert told[-1].rows_per_second > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": torch.ones(3, D)}, "There are 3 inputs and 10 outputs, expected as many"),
        ({"inputs": torch.ones(10, D)}, "All 10 inputs are the same vector"),
        ({"inputs": torch.full((10, D), torch.nan)}, "10 of 10 rows hold NaN"),
        ({"outputs": torch.full((10, D), torch.inf)}, "10 of 10 rows hold NaN or infinity"),
    ],
)
def test_pairs_that_teach_nothing_are_refused(change, message):
    pairs = Pairs(torch.randn(10, D), torch.randn(10, D))
    with pytest.raises(UserError, match=message):
        replace(pairs, **change)


def test_a_transcoder_keeps_the_length_of_its_rows():
    with pytest.raises(UserError, match="Inputs have length 8 and outputs 3, expected the same for a transcoder"):
        _fit(Pairs(torch.randn(10, D), torch.randn(10, 3)), MapConfig())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "width is 0, expected at least 1"),
        ({"n_steps": 0}, "n_steps is 0, expected at least 1"),
        ({"learning_rate": 1.0}, "learning_rate is 1.0, expected between 0 and 1"),
        ({"width": 4}, "k is 8, expected at most the width 4"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        MapConfig(**settings)


def test_titles_tell_maps_apart():
    titles = [
        MapConfig(Linear()).title,
        MapConfig(Transcoder(4), 64).title,
        MapConfig(SkipTranscoder(4), 64, member=2).title,
    ]
    assert titles == ["linear", "transcoder-64-k4", "skip-transcoder-64-k4-m2"]
