"""An encoder that stays where it was drawn."""

from typing import Protocol

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import Dictionary, encode, reconstruct
from dtinterp.dictionary.fit import fit
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.frozen_encoder import FrozenEncoder


class Planted(Protocol):
    """What the fixture of that name offers."""

    rows: Float32[Tensor, "row d_model"]


def _fit(planted: Planted, kind: TopK, n_steps: int = 60) -> Dictionary:
    config = FitConfig(kind, 48, n_steps, 128, learning_rate=2e-2)
    return fit(planted.rows[:1000], config, generator=torch.Generator().manual_seed(1))


def _unexplained(dictionary: Dictionary, rows: Tensor) -> float:
    error = (rows - reconstruct(dictionary, rows)).square().sum()
    return float(error / (rows - rows.mean(dim=0)).square().sum())


def test_the_encoder_stays_as_it_was_drawn_and_what_is_written_is_learnt(planted: Planted) -> None:
    start, end = (_fit(planted, FrozenEncoder(3), n_steps) for n_steps in (1, 60))
    assert torch.equal(start.W_enc, end.W_enc)
    torch.testing.assert_close(end.W_enc.norm(dim=0), torch.ones(48))
    assert (end.b_enc == 0).all()
    assert end.W_dec.norm(dim=1).std() > 0.01
    assert _unexplained(end, planted.rows) < _unexplained(start, planted.rows) - 0.05


def test_it_explains_less_than_a_trained_encoder_with_as_many_active_features(planted: Planted) -> None:
    trained, frozen = (_fit(planted, kind) for kind in (TopK(3), FrozenEncoder(3)))
    assert (encode(frozen, planted.rows).n_active == 3).all()
    assert _unexplained(trained, planted.rows) < _unexplained(frozen, planted.rows) - 0.1
