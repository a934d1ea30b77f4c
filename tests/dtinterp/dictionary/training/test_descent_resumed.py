"""Descents that were interrupted and go on."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from dtinterp.dictionary.config import FitConfig, MapConfig
from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchTopK
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.maps.transcoder import SkipTranscoder, Transcoder
from dtinterp.dictionary.rows.batches import Batch
from dtinterp.dictionary.training.batched_training import Run
from dtinterp.dictionary.training.descent import StackDescent
from dtinterp.foundation.jobs.resume import resume, suspend

ROWS = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
KINDS = (TopK(2), BatchTopK(2), Transcoder(2), SkipTranscoder(2))


def _begun(kind: TopK | BatchTopK | Transcoder) -> StackDescent:
    """Two members; transcoders read the first half of a row and write the second."""
    is_map = isinstance(kind, Transcoder)
    configs: Sequence[FitConfig] = [(MapConfig if is_map else FitConfig)(kind, width=8)] * 2
    d = 3 if is_map else 6
    origin = {"b_dec": torch.ones(2, d), **({"W_skip": torch.ones(2, d, d)} if kind.has_skip else {})}
    return StackDescent.begin(origin, configs, [torch.Generator().manual_seed(member) for member in range(2)])


def _batch(kind: TopK | BatchTopK | Transcoder) -> Batch:
    return Batch(ROWS, torch.full((20,), 1 / 20), 3 if isinstance(kind, Transcoder) else None)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_a_resumed_descent_takes_the_same_next_step(tmp_path: Path, kind: TopK | BatchTopK | Transcoder) -> None:
    file, one, other = tmp_path / "run.safetensors", _begun(kind), _begun(kind)
    for step in range(1, 6):
        one.step(_batch(kind), step)
    one.silence[0, 0] = 60
    suspend(file, Run({"0": one}, {"rows": "these"}), 5)
    assert resume(file, Run({"0": other}, {"rows": "these"})) == 5
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    for each in (one, other):
        each.step(_batch(kind), 6)
    for name, tensor in one.parameters.named.items():
        assert torch.equal(other.parameters.named[name], tensor)
        assert other.parameters.named[name].stride() == tensor.stride()
    assert torch.equal(one.silence, other.silence)
    assert torch.equal(one.threshold.nan_to_num(), other.threshold.nan_to_num())


def test_weights_of_another_shape_are_refused_and_nothing_is_changed() -> None:
    one, state = _begun(TopK(2)), dict(_begun(TopK(2)).state_dict())
    before = one.parameters.W_dec.detach().clone()
    with pytest.raises(ValueError, match=r"W_dec has shape \(2, 8, 5\), not \(2, 8, 6\)"):
        one.load_state_dict({**state, "silence": state["silence"] + 1, "W_dec": torch.zeros(2, 8, 5)})
    assert torch.equal(one.parameters.W_dec.detach(), before)
    assert not one.silence.any()
