"""A decoder that stays where it was drawn."""

from pathlib import Path
from typing import Protocol

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.config import UNWATCHED, FitConfig, FitProgress, Watch
from dtinterp.dictionary.dictionary import Dictionary, reconstruct
from dtinterp.dictionary.fit import fit
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.frozen_decoder import FrozenDecoder

QUICK = {"width": 48, "n_steps": 60, "batch_rows": 128, "learning_rate": 2e-2, "silent_steps": 10}


class Planted(Protocol):
    """What the fixture of that name offers."""

    rows: Float32[Tensor, "row d_model"]

    def recovery(self, dictionary: Dictionary) -> float: ...


class _PowerCutError(Exception):
    pass


def _fit(planted: Planted, kind: TopK, *, watch: Watch = UNWATCHED, **changed: int) -> Dictionary:
    config = FitConfig(kind, **{**QUICK, **changed})
    return fit(planted.rows[:1000], config, generator=torch.Generator().manual_seed(1), watch=watch)


def _unexplained(dictionary: Dictionary, rows: Tensor) -> float:
    error = (rows - reconstruct(dictionary, rows)).square().sum()
    return float(error / (rows - rows.mean(dim=0)).square().sum())


def test_directions_stay_as_they_were_drawn_and_the_encoder_learns(planted: Planted) -> None:
    start, end = (_fit(planted, FrozenDecoder(3), n_steps=n_steps) for n_steps in (1, 60))
    assert torch.equal(start.W_dec, end.W_dec)
    assert not torch.allclose(start.W_enc, end.W_enc, atol=0.05)
    assert _unexplained(end, planted.rows[:1000]) < _unexplained(start, planted.rows[:1000]) - 0.01


def test_nothing_planted_is_recovered_where_a_trained_decoder_recovers_it(planted: Planted) -> None:
    trained, frozen = (_fit(planted, kind) for kind in (TopK(3), FrozenDecoder(3)))
    assert planted.recovery(frozen) + 0.15 < planted.recovery(trained)
    assert _unexplained(trained, planted.rows) < _unexplained(frozen, planted.rows)


def test_an_interrupted_fit_goes_on_to_the_same_bits(planted: Planted, tmp_path: Path) -> None:
    def cut(progress: FitProgress) -> None:
        if progress.step == 31:
            raise _PowerCutError

    file = tmp_path / "unfinished.safetensors"
    with pytest.raises(_PowerCutError):
        _fit(planted, FrozenDecoder(3), watch=Watch(cut, file), n_steps=60)
    resumed = _fit(planted, FrozenDecoder(3), watch=Watch(None, file), n_steps=60)
    expected = _fit(planted, FrozenDecoder(3), n_steps=60)
    assert all(torch.equal(tensor, expected.tensors[name]) for name, tensor in resumed.tensors.items())
