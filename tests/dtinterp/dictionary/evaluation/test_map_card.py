from dataclasses import asdict

import numpy as np
import pytest
import torch

from dtinterp.dictionary.config import MapConfig
from dtinterp.dictionary.dictionary import MAP, reconstruct
from dtinterp.dictionary.evaluation.map_card import load_map_card, map_card
from dtinterp.dictionary.fit import fit_map
from dtinterp.dictionary.kinds.maps.linear import Linear
from dtinterp.dictionary.kinds.maps.transcoder import SkipTranscoder
from dtinterp.dictionary.rows.table import Pairs
from dtinterp.foundation.artefacts.artefact import Content, write_artefact
from dtinterp.foundation.artefacts.codec import Beside, load, save
from dtinterp.foundation.errors import UserError

D, N = 6, 200


@pytest.fixture
def pairs():
    inputs = torch.randn(N, D, generator=torch.Generator().manual_seed(0))
    matrix = torch.randn(D, D, generator=torch.Generator().manual_seed(1))
    return Pairs(inputs, (inputs @ matrix).relu(), site="blocks.0.mlp")


def _fit(pairs, config=None):
    config = MapConfig(SkipTranscoder(2), width=12, n_steps=30) if config is None else config
    return fit_map(pairs, config, generator=torch.Generator().manual_seed(0))


def _card(row_map, pairs, fitted=None):
    fitted = pairs.inputs[: N // 2] if fitted is None else fitted
    rng = np.random.default_rng(0)
    cluster = torch.arange(N) // 4
    return map_card(row_map, pairs.inputs, pairs.outputs, fitted=fitted, cluster=cluster, generator=rng)


def test_errors_are_what_a_slow_loop_computes(pairs):
    row_map = _fit(pairs)
    card, made, mean = _card(row_map, pairs), reconstruct(row_map, pairs.inputs), pairs.outputs.mean(dim=0)
    error = spread = cosine = unseen_error = unseen_spread = 0.0
    for row in range(N):
        y, guess = pairs.outputs[row].double(), made[row].double()
        own, about = float((y - guess).square().sum()), float((y - mean).square().sum())
        error, spread = error + own, spread + about
        cosine += float(y @ guess / (y.norm() * guess.norm())) if y.norm() > 0 else 0.0
        if row >= N // 2:
            unseen_error, unseen_spread = unseen_error + own, unseen_spread + about
    assert card.fvu.estimate == pytest.approx(error / spread)
    assert card.mse.estimate == pytest.approx(error / N)
    assert card.cosine.estimate == pytest.approx(cosine / N)
    assert card.fvu_unseen is not None
    assert card.fvu_unseen.estimate == pytest.approx(unseen_error / unseen_spread)
    assert card.fvu.n == N // 4


def test_a_linear_map_is_counted_as_what_it_is(pairs):
    card = _card(_fit(pairs, MapConfig(Linear())), pairs)
    assert (card.l0.estimate, card.dead_share, card.width) == (0, 0, 0)


def test_what_cannot_tell_learning_from_memory_is_warned_of(pairs):
    card = _card(_fit(pairs, MapConfig(SkipTranscoder(2), width=512, n_steps=2)), pairs, fitted=pairs.inputs)
    assert card.fvu_unseen is None
    assert "width 512 exceeds the 200 distinct inputs" in card.warnings[0]
    assert "every held-out row is an input of the fit" in card.warnings[1]


def test_what_is_written_is_read_back(pairs, tmp_path):
    row_map = _fit(pairs)
    card = _card(row_map, pairs)
    save(tmp_path / "map", row_map, seed=0, beside=Beside(metrics=asdict(card)))
    read = load(tmp_path / "map", MAP)
    assert (read.kind, read.site, read.name) == (row_map.kind, "blocks.0.mlp", row_map.name)
    assert torch.equal(reconstruct(read, pairs.inputs), reconstruct(row_map, pairs.inputs))
    assert load_map_card(tmp_path / "map") == card


def test_counts_that_disagree_are_refused(pairs):
    with pytest.raises(UserError, match="There are 200 inputs, 200 outputs and 3 cluster labels"):
        map_card(
            _fit(pairs),
            pairs.inputs,
            pairs.outputs,
            fitted=pairs.inputs,
            cluster=torch.arange(3),
            generator=np.random.default_rng(0),
        )


def test_outputs_without_variance_are_refused(pairs):
    flat = Pairs(pairs.inputs, pairs.outputs[:1].repeat(N, 1), pairs.site)
    with pytest.raises(UserError, match="The 200 rows to judge on are all alike and have no variance"):
        _card(_fit(pairs), flat)


def test_one_unseen_input_has_no_error_of_its_own(pairs):
    card = _card(_fit(pairs), pairs, fitted=pairs.inputs[1:])
    assert card.fvu_unseen is None
    assert "of the held-out rows 1 are no input of the fit, all alike" in card.warnings[-1]


@pytest.mark.parametrize(
    ("config", "tensors", "sentence"),
    [
        ({}, {"b_in": None}, "it lacks b_in"),
        ({}, {"W_skip": torch.zeros(4)}, "W_skip"),
        ({"kind": {"type": "Wormhole"}}, {}, "is of type Wormhole, expected one of Linear, Transcoder, SkipTra"),
        ({"kind": {"type": "Transcoder", "k": "x"}}, {}, r"config\.kind\.k is 'x' \("),
        ({"site": 3}, {}, r"config\.site is 3 \("),
    ],
    ids=str,
)
def test_a_sealed_map_that_cannot_be_gets_one_sentence(config, tensors, sentence, tmp_path):
    parts = {
        "W_enc": (3, 4),
        "b_enc": (4,),
        "W_dec": (4, 3),
        "b_dec": (3,),
        "b_in": (3,),
        "scale_in": (),
        "scale_out": (),
    }
    whole = {name: torch.ones(shape) for name, shape in parts.items()} | tensors
    told = {"name": "x", "site": "blocks.0.mlp", "kind": {"type": "Transcoder", "k": 2}} | config
    content = Content("mlp-map", told, {name: each for name, each in whole.items() if each is not None}, {})
    write_artefact(tmp_path / "map", content, parents=(), seed=0)
    with pytest.raises(UserError, match=sentence):
        load(tmp_path / "map", MAP)
