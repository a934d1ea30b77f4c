from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.kinds import BatchTopK, TopK
from dtinterp.dictionary.training.batched_training import Descending
from dtinterp.dictionary.training.descent import Descent
from dtinterp.dictionary.training.initialization import Batch
from dtinterp.dictionary.training.resume import Run, resume, suspend
from dtinterp.dictionary.transcoders.map_config import MapConfig
from dtinterp.dictionary.transcoders.map_descent import MapDescent
from dtinterp.dictionary.transcoders.maps import SkipTranscoder, Transcoder

ROWS = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
BATCH = Batch(ROWS, torch.full((20,), 1 / 20))


def _dictionaries() -> Sequence[Descending]:
    configs = (FitConfig(TopK(2), width=8), FitConfig(BatchTopK(2), width=8))
    return [Descent.begin(ROWS[:1], [config], [torch.Generator().manual_seed(1)]) for config in configs]


def _maps() -> Sequence[Descending]:
    """Two of a kind, which read the first half of a row and write the second."""
    generators = [torch.Generator().manual_seed(member) for member in range(2)]
    plain, skip = ([MapConfig(kind(2), width=8)] * 2 for kind in (Transcoder, SkipTranscoder))
    begun = torch.ones(2, 3), torch.ones(2, 3, 3)
    return [MapDescent.begin(begun[0], None, plain, generators), MapDescent.begin(*begun, skip, generators)]


def _run(n_steps: int, begin: Callable[[], Sequence[Descending]] = _dictionaries) -> Run:
    descents = begin()
    for step in range(1, n_steps + 1):
        for descent in descents:
            descent.step(BATCH, step)
    return Run(descents, [torch.Generator().manual_seed(n_steps + each) for each in range(2)], {"rows": "these"})


@pytest.mark.parametrize("begin", [_dictionaries, _maps])
def test_a_resumed_run_takes_the_same_next_step(tmp_path: Path, begin: Callable[[], Sequence[Descending]]) -> None:
    interrupted, fresh = _run(5, begin), _run(0, begin)
    for each in interrupted.descents:
        assert isinstance(each, Descending)
        each.silence[0, 0] = 60
    suspend(tmp_path / "run.safetensors", interrupted, 5)
    assert resume(tmp_path / "run.safetensors", fresh) == 5
    for one, other in zip(interrupted.descents, fresh.descents, strict=True):
        assert isinstance(one, Descending)
        assert isinstance(other, Descending)
        one.step(BATCH, 6)
        other.step(BATCH, 6)
        for name, tensor in one.learnt.items():
            assert torch.equal(other.learnt[name], tensor)
            assert other.learnt[name].stride() == tensor.stride()
        for name, tensor in one.remembered.items():
            assert torch.equal(other.remembered[name].nan_to_num(), tensor.nan_to_num())
        assert torch.equal(one.silence, other.silence)
    for one, other in zip(interrupted.generators, fresh.generators, strict=True):
        assert torch.equal(one.get_state(), other.get_state())


def test_without_a_file_a_run_starts_at_the_beginning(tmp_path: Path) -> None:
    run, untouched = _run(0), _run(0)
    assert resume(tmp_path / "nothing.safetensors", run) == 0
    assert torch.equal(run.descents[0].learnt["W_dec"], untouched.descents[0].learnt["W_dec"])


def test_no_draft_is_left_behind(tmp_path: Path) -> None:
    suspend(tmp_path / "run.safetensors", _run(1), 1)
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"]
