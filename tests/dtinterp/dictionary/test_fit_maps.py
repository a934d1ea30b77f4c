"""Maps between rows, against layers that are known."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dtinterp.dictionary.config import FitConfig, FitProgress, MapConfig, Watch
from dtinterp.dictionary.dictionary import RowMap, encode, reconstruct
from dtinterp.dictionary.fit import LayerPairs, fit_map, fit_maps, fit_stack
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.maps.linear import Linear
from dtinterp.dictionary.kinds.maps.transcoder import SkipTranscoder, Transcoder
from dtinterp.dictionary.rows.batches import geometric_median
from dtinterp.dictionary.rows.table import Pairs, normalise
from dtinterp.foundation.errors import UserError

D, N = 8, 3000
KINDS = (Transcoder, SkipTranscoder)


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
    error = (reconstruct(row_map, pairs.inputs) - pairs.outputs).square().sum()
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
    torch.testing.assert_close(
        reconstruct(_fit(pairs, MapConfig(Linear())), rows).double(), expected, atol=1e-4, rtol=0
    )


def test_a_direction_without_data_maps_to_nothing():
    rows = _rows()
    rows[:, 0] = 0
    found = _fit(Pairs(rows, _layer()(rows)), MapConfig(Linear()))
    moved = rows.clone()
    moved[:, 0] = 1
    torch.testing.assert_close(reconstruct(found, moved), reconstruct(found, rows), atol=1e-2, rtol=0)


def test_a_skip_transcoder_beats_the_linear_map_and_a_transcoder_without_the_path():
    rows = _rows()
    layer, *_ = _sparse_layer()
    pairs = Pairs(rows, layer(rows))
    shape = partial(MapConfig, width=24, n_steps=600)
    skip = _fvu(_fit(pairs, shape(SkipTranscoder(4))), pairs)
    assert skip < 0.5 * _fvu(_fit(pairs, MapConfig(Linear())), pairs)
    assert skip < 0.5 * _fvu(_fit(pairs, shape(Transcoder(4))), pairs)


def test_the_neurons_of_a_sparse_layer_are_recovered_if_they_fire_now_and_then():
    rows = _rows()
    layer, read, write = _sparse_layer()
    found = _fit(Pairs(rows, layer(rows)), MapConfig(SkipTranscoder(4), width=24, n_steps=1500))
    cosine = (write @ torch.nn.functional.normalize(found.W_dec, dim=1).T).amax(dim=1)
    fires = (rows @ read > 1.5).float().mean(dim=0) > 0.02
    assert int(fires.sum()) == 8
    assert float(cosine[fires].min()) > 0.95


def test_no_row_uses_more_than_k_features():
    rows = _rows(300)
    found = _fit(Pairs(rows, _sparse_layer()[0](rows)), MapConfig(Transcoder(3), width=16, n_steps=30))
    assert int((encode(found, rows).value > 0).sum(dim=1).max()) <= 3


def test_the_same_seed_gives_the_same_bits():
    rows = _rows(2000)
    pairs, config = Pairs(rows, _sparse_layer()[0](rows)), MapConfig(width=16, n_steps=20)
    one, other = _fit(pairs, config), _fit(pairs, config)
    assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)
    assert not torch.equal(_fit(pairs, replace(config, member=1)).W_enc, one.W_enc)


def test_progress_is_told() -> None:
    """The last step hardly moves the map: what it then missed, with the features that it chose, is what it misses."""
    rows, told = _rows(200), list[FitProgress]()
    pairs, config = Pairs(rows, _layer()(rows).relu()), MapConfig(Transcoder(3), width=16, n_steps=100)
    found = fit_map(pairs, config, generator=torch.Generator(), watch=Watch(told.append))
    assert [each.step for each in told] == list(range(1, 101))
    assert told[-1].rows_per_second > 0
    assert told[-1].fvu == pytest.approx(_fvu(found, pairs), rel=1e-2)


@pytest.mark.parametrize("kind", [Linear(), *(kind(3) for kind in KINDS)], ids=lambda kind: type(kind).__name__)
def test_rows_may_be_written_shorter_than_they_are_read(kind: Linear | Transcoder) -> None:
    inputs = torch.randn(500, 6, generator=torch.Generator().manual_seed(4))
    pairs = Pairs(inputs, (inputs @ torch.randn(6, 4, generator=torch.Generator().manual_seed(5))).relu())
    found = _fit(pairs, MapConfig(kind, width=24, n_steps=300, silent_steps=20, learning_rate=5e-3))
    assert (found.d_in, found.d_out) == (6, 4)
    assert encode(found, inputs).index.shape == (500, 0 if isinstance(kind, Linear) else 3)
    assert reconstruct(found, inputs).shape == (500, 4)
    assert _fvu(found, pairs) < (0.3 if isinstance(kind, Linear) else 0.1)


QUICK = {"width": 24, "n_steps": 60, "batch_rows": 64, "learning_rate": 5e-3, "silent_steps": 10}
FAMILY = [
    MapConfig(Linear()),
    *(MapConfig(kind(k), **QUICK, member=member) for kind in KINDS for k, member in ((2, 0), (4, 0), (2, 1))),
    MapConfig(SkipTranscoder(2), **{**QUICK, "width": 16}),
]


def _layers(configs: list[MapConfig] = FAMILY) -> list[LayerPairs]:
    """Two layers whose rows are many, so that they share computations, and one whose few rows are seen whole."""
    early, layer, (sparse, *_) = _rows(500), _layer(), _sparse_layer()
    pairs = [
        Pairs(early, sparse(early), "blocks.0.mlp", torch.arange(500) % 5 + 1),
        Pairs(early.flip(1), layer(early.flip(1)).relu(), "blocks.1.mlp"),
        Pairs(early[:50], sparse(early[:50]), "blocks.2.mlp"),
    ]
    return [LayerPairs(each, configs, torch.Generator().manual_seed(seed)) for seed, each in enumerate(pairs)]


def _assert_same_bits(found: list[list[RowMap]], expected: list[list[RowMap]]) -> None:
    for of_layer, others in zip(found, expected, strict=True):
        for one, other in zip(of_layer, others, strict=True):
            assert (one.name, one.site, one.kind) == (other.name, other.site, other.kind)
            assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in other.tensors)


def test_each_map_of_several_layers_is_what_it_would_be_alone() -> None:
    """Products of several members may round otherwise than one's own; 60 steps let that grow to 1e-3 at most."""
    together = fit_maps(_layers())
    for place, found in enumerate(together):
        assert [each.name for each in found] == [config.title for config in FAMILY]
        for config, member in zip(FAMILY, found, strict=True):
            fresh = _layers()[place]
            alone = fit_map(fresh.pairs, config, generator=fresh.generator)
            assert (member.kind, member.site) == (alone.kind, alone.site)
            for name, tensor in alone.tensors.items():
                torch.testing.assert_close(member.tensors[name], tensor, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_is_that_of_a_slow_loop(kind: type[Transcoder] | type[SkipTranscoder]) -> None:
    """Batches are the generator's, and first weights those of its first number and the member."""
    pairs, config = _layers()[0].pairs, MapConfig(kind(3), **{**QUICK, "n_steps": 4}, member=2)
    found = fit_map(pairs, config, generator=torch.Generator().manual_seed(5))
    for name, tensor in _slowly(pairs, config, 3, torch.Generator().manual_seed(5)).items():
        torch.testing.assert_close(found.tensors[name], tensor)


def _slowly(pairs: Pairs, config: MapConfig, k: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Return the weights after some steps without silent features."""
    (read, _), (written, _) = (normalise(rows, pairs.weights) for rows in (pairs.inputs, pairs.outputs))
    own = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)) + config.member)
    drawn = torch.randn(config.width, D, generator=own)
    linear = _fit(pairs, MapConfig(Linear()))
    has_skip, W_skip = isinstance(config.kind, SkipTranscoder), torch.zeros(D, D)
    W_enc, b_enc, W_dec = (drawn / drawn.norm(dim=1, keepdim=True)).T.clone(), torch.zeros(24), torch.zeros(24, D)
    b_dec = linear.b_dec.clone() if has_skip else geometric_median(written)
    if has_skip and linear.W_skip is not None:
        W_skip = linear.W_skip.clone()
    learnt = [each.requires_grad_() for each in (W_enc, b_enc, W_dec, b_dec, *([W_skip] if has_skip else []))]
    optimiser = torch.optim.Adam(learnt)
    for step in range(config.n_steps):
        place = torch.rand(config.batch_rows, generator=generator, dtype=torch.float64)
        index = torch.searchsorted(read.weight.double().cumsum(0), place * read.weight.double().sum(), right=True)
        x, y = (read.rows - read.weight @ read.rows)[index], written.rows[index]
        activation = x @ W_enc + b_enc
        code = activation.relu().where(activation >= activation.topk(k, dim=1).values[:, -1:], 0.0)
        error = (y - code @ W_dec - x @ W_skip - b_dec).square().sum() / (y - y.mean(dim=0)).square().sum()
        optimiser.param_groups[0]["lr"] = config.learning_rate * min(1, (1 - step / config.n_steps) / 0.2)
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
    found = {"W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": b_dec} | ({"W_skip": W_skip} if has_skip else {})
    return {name: tensor.detach() for name, tensor in found.items()}


def test_the_order_of_maps_does_not_matter() -> None:
    there, back = fit_maps(_layers()), fit_maps(_layers(FAMILY[::-1]))
    for found, others in zip(there, back, strict=True):
        for one, other in zip(found, others[::-1], strict=True):
            for name, tensor in one.tensors.items():
                torch.testing.assert_close(other.tensors[name], tensor, rtol=1e-3, atol=1e-3)


def test_maps_that_are_interrupted_go_on_to_the_same_bits(tmp_path: Path) -> None:
    file, steps = tmp_path / "unfinished.safetensors", list[int]()

    def cut(state: FitProgress) -> None:
        if state.step == 31:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_maps(_layers(), watch=Watch(cut, file))
    resumed = fit_maps(_layers(), watch=Watch(lambda state: steps.append(state.step), file))
    assert steps == list(range(31, 61))
    _assert_same_bits(resumed, fit_maps(_layers()))


def test_finished_maps_are_read_back_without_a_step(tmp_path: Path) -> None:
    file, told = tmp_path / "unfinished.safetensors", list[FitProgress]()
    first = fit_maps(_layers(), watch=Watch(None, file))
    _assert_same_bits(fit_maps(_layers(), watch=Watch(told.append, file)), first)
    assert not told


def test_other_maps_under_way_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "unfinished.safetensors"
    fit_maps(_layers(), watch=Watch(None, file))
    with pytest.raises(UserError, match="is a stack under way with another configuration: ask for the same again"):
        fit_maps(_layers(FAMILY[:-1]), watch=Watch(None, file))
    with pytest.raises(UserError, match="is a stack under way with another configuration, another rows, "):
        fit_maps(_layers()[1:], watch=Watch(None, file))
    dictionaries = [FitConfig(TopK(2), width=24)]
    with pytest.raises(UserError, match="is a stack under way with another configuration, another rows, "):
        fit_stack(_rows(500), dictionaries, generator=torch.Generator(), watch=Watch(None, file))


def test_a_file_of_maps_under_way_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "unfinished.safetensors"
    fit_maps(_layers(), watch=Watch(None, file))
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(UserError, match=r"is damaged .*: remove it to begin that work anew"):
        fit_maps(_layers(), watch=Watch(None, file))


def test_progress_is_the_mean_over_transcoders() -> None:
    def last(wanted: list[LayerPairs]) -> FitProgress:
        told = list[FitProgress]()
        fit_maps(wanted, watch=Watch(told.append))
        return told[-1]

    each = [replace(_layers()[place], configs=[config]) for place in range(2) for config in FAMILY[1:]]
    alone = [last([wanted]) for wanted in each]
    together = last(_layers()[:2])
    for measure in ("fvu", "l0", "loss", "silent_share"):
        mean = sum(getattr(state, measure) for state in alone) / len(alone)
        assert getattr(together, measure) == pytest.approx(mean, rel=1e-3)


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        ([], "The stack has 0 maps, expected at least 1"),
        (
            [MapConfig(), MapConfig()],
            "The stack has 2 maps called 'skip-transcoder-512-k8', expected 1: ask for it",
        ),
        (
            [MapConfig(n_steps=5), MapConfig(member=1)],
            "The maps of the stack have n_steps 5 and 1000, expected one",
        ),
    ],
)
def test_maps_that_do_not_go_together_are_refused(configs: list[MapConfig], message: str) -> None:
    with pytest.raises(UserError, match=message):
        fit_maps(_layers(configs))


def test_layers_agree_on_their_batches() -> None:
    wanted = [replace(each, configs=[MapConfig(batch_rows=64 + place)]) for place, each in enumerate(_layers([]))]
    with pytest.raises(UserError, match="have batch_rows 64 and 65 and 66, expected one value"):
        fit_maps(wanted)
