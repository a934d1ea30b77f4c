from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.resume import Training, prefixed, resume, suspend, under

IDENTITY = {"seed": 0, "learning_rate": 0.1, "precision": "float32"}


def training_of(draw: int, **identity) -> Training:
    model = nn.Linear(3, 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(draw))
    groups = [{"params": [model.weight], "weight_decay": 0.1}, {"params": [model.bias], "weight_decay": 0.0}]
    return Training(model, torch.optim.AdamW(groups, lr=0.1), {**IDENTITY, **identity})


def descend(training: Training, steps: range) -> None:
    for step in steps:
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        training.optimizer.zero_grad()
        training.model(x).square().sum().backward()
        training.optimizer.step()


def weights(training: Training) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in training.model.parameters()])


def test_a_resumed_training_is_the_uninterrupted_one_to_the_bit(tmp_path):
    whole, first, second = training_of(0), training_of(0), training_of(1)
    descend(whole, range(10))
    descend(first, range(4))
    suspend(tmp_path / "run.safetensors", first, 4)
    assert resume(tmp_path / "run.safetensors", second) == 4
    descend(second, range(4, 10))
    assert torch.equal(weights(second), weights(whole))


class Counter:
    """Something else that changes during a training."""

    def __init__(self) -> None:
        self.count = torch.tensor(0)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"count": self.count}

    def load_state_dict(self, state) -> None:
        self.count = state["count"]


def test_what_else_changed_comes_back_under_its_name(tmp_path):
    first, second = ({"worlds": Counter(), "tally": Counter()} for _ in range(2))
    first["worlds"].count += 3
    suspend(tmp_path / "run.safetensors", replace(training_of(0), carried=first), 4)
    resume(tmp_path / "run.safetensors", replace(training_of(1), carried=second))
    assert (second["worlds"].count, second["tally"].count) == (3, 0)


def test_parts_keep_apart_and_come_back():
    parts = prefixed("a", {"x": torch.tensor(1)}) | prefixed("ab", {"x": torch.tensor(2)})
    assert under("a", parts) == {"x": torch.tensor(1)}


def test_without_a_file_it_starts_from_nothing(tmp_path):
    training = training_of(0)
    before = weights(training)
    assert resume(tmp_path / "run.safetensors", training) == 0
    assert torch.equal(weights(training), before)


@pytest.mark.parametrize(
    ("identity", "difference"),
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"learning_rate": 0.2, "seed": 3}, "learning_rate 0.1, not 0.2, seed 0, not 3"),
        ({"extra": 5}, "extra None, not 5"),
    ],
)
def test_another_training_is_refused_and_told_what_differs(tmp_path, identity, difference):
    suspend(tmp_path / "run.safetensors", training_of(0), 4)
    other = training_of(1, **identity)
    before = weights(other)
    with pytest.raises(
        UserError, match=f"is a training under way with {difference}: ask for the same again to go on, or"
    ):
        resume(tmp_path / "run.safetensors", other)
    assert torch.equal(weights(other), before)


def test_the_old_file_stays_whole_until_the_new_one_is(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    suspend(path, training_of(0), 4)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("dtinterp.foundation.artefacts.writing.os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        suspend(path, training_of(1), 8)
    assert resume(path, training_of(2)) == 4
    monkeypatch.undo()
    suspend(path, training_of(1), 8)
    assert resume(path, training_of(2)) == 8
    assert [file.name for file in tmp_path.iterdir()] == ["run.safetensors"]


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_file_that_was_cut_short_is_refused(tmp_path, kept):
    path = tmp_path / "run.safetensors"
    suspend(path, training_of(0), 4)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"run.safetensors is damaged .*: remove it to begin that work anew"):
        resume(path, training_of(0))


def test_tensors_without_a_training_are_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    suspend(path, training_of(0), 4)
    save_file(load_file(path), path)
    with pytest.raises(UserError, match="is damaged"):
        resume(path, training_of(0))
