from pathlib import Path

import torch

from dtinterp.dictionary.autoencoder import Batch
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.descent import Descent
from dtinterp.dictionary.kinds import BatchTopK, TopK
from dtinterp.dictionary.resume import Run, resume, suspend

ROWS = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
BATCH = Batch(ROWS, torch.full((20,), 1 / 20))


def _run(n_steps: int) -> Run:
    configs = (FitConfig(TopK(2), width=8), FitConfig(BatchTopK(2), width=8))
    descents = [Descent.begin(ROWS[:1], [config], [torch.Generator().manual_seed(1)]) for config in configs]
    for step in range(1, n_steps + 1):
        for descent in descents:
            descent.step(BATCH, step)
    return Run(descents, [torch.Generator().manual_seed(n_steps + each) for each in range(2)], {"rows": "these"})


def test_a_resumed_run_takes_the_same_next_step(tmp_path: Path) -> None:
    interrupted, fresh = _run(5), _run(0)
    suspend(tmp_path / "run.safetensors", interrupted, 5)
    assert resume(tmp_path / "run.safetensors", fresh) == 5
    for one, other in zip(interrupted.descents, fresh.descents, strict=True):
        one.step(BATCH, 6)
        other.step(BATCH, 6)
        for name, tensor in one.parameters.named.items():
            assert torch.equal(other.parameters.named[name], tensor)
            assert other.parameters.named[name].stride() == tensor.stride()
        assert torch.equal(one.silence, other.silence)
        assert torch.equal(one.threshold.nan_to_num(), other.threshold.nan_to_num())
    for one, other in zip(interrupted.generators, fresh.generators, strict=True):
        assert torch.equal(one.get_state(), other.get_state())


def test_without_a_file_a_run_starts_at_the_beginning(tmp_path: Path) -> None:
    run, untouched = _run(0), _run(0)
    assert resume(tmp_path / "nothing.safetensors", run) == 0
    assert torch.equal(run.descents[0].parameters.W_dec, untouched.descents[0].parameters.W_dec)


def test_no_draft_is_left_behind(tmp_path: Path) -> None:
    suspend(tmp_path / "run.safetensors", _run(1), 1)
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"]
