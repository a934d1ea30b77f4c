import signal
from dataclasses import replace

import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import Logbook
from dtinterp.model.config import ModelConfig
from dtinterp.model.training.train import ModelRecord
from tests.dtinterp.model.conftest import TINY, Kept, rows, weights


class PlugPulledError(Exception):
    pass


def interrupted_at(n_measurements):
    """A probe that lets some measurements pass and then pulls the plug, before the state of training is written."""
    left = [n_measurements]

    def probe(_):
        left[0] -= 1
        if left[0] < 0:
            raise PlugPulledError
        return {"probed": 1.0}

    return probe


@pytest.mark.parametrize("n_measurements", [0, 1, 2])
def test_an_interrupted_training_goes_on_to_the_same_bits_and_the_same_log(train, tmp_path, n_measurements):
    whole = train(record=ModelRecord(Logbook(tmp_path / "whole.jsonl"), None, lambda _: {"probed": 1.0}))
    kept = ModelRecord(Logbook(tmp_path / "parts.jsonl"), tmp_path / "run.safetensors")
    with pytest.raises(PlugPulledError):
        train(record=replace(kept, probe=interrupted_at(n_measurements)))
    assert (tmp_path / "run.safetensors").exists() == (n_measurements > 0)
    kept.logbook.write(step=19, loss=0.0)  # a row that was written just before the plug was pulled
    resumed = train(record=replace(kept, probe=lambda _: {"probed": 1.0}))
    assert torch.equal(weights(resumed), weights(whole))
    assert rows(tmp_path / "parts.jsonl") == rows(tmp_path / "whole.jsonl")
    assert [row["step"] for row in rows(tmp_path / "whole.jsonl")] == [7, 14, 20]


def test_an_interrupted_training_keeps_the_models_that_the_whole_one_keeps(train, tmp_path):
    whole, parts = Kept(), Kept()
    config = replace(TINY, n_checkpoints=4)
    train(config, record=ModelRecord(keeper=whole))
    record = ModelRecord(resume_file=tmp_path / "run.safetensors", keeper=parts)
    with pytest.raises(PlugPulledError):
        train(config, record=replace(record, probe=interrupted_at(1)))
    train(config, record=record)
    assert list(parts.steps) == list(whole.steps)
    assert all(torch.equal(parts.steps[step], whole.steps[step]) for step in whole.steps)
    assert all(torch.equal(parts.measured[step][0], whole.measured[step][0]) for step in whole.measured)


def test_a_finished_training_is_not_trained_again(train, tmp_path):
    record = ModelRecord(resume_file=tmp_path / "run.safetensors")
    assert torch.equal(weights(train(record=record)), weights(train(record=record)))


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"model": ModelConfig(d_model=16, n_heads=4, d_mlp=16)}, "n_heads 2, not 4"),
        ({"steps": 30, "warmup": 3}, "steps 20, not 30, warmup 5, not 3"),
    ],
)
def test_a_training_under_way_refuses_other_settings(train, tmp_path, change, difference):
    record = ModelRecord(resume_file=tmp_path / "run.safetensors")
    train(record=record)
    with pytest.raises(UserError, match=f"run.safetensors is a training under way with {difference}: ask for the same"):
        train(replace(TINY, **change), record=record)


def test_a_training_under_way_refuses_other_demonstrations(train, tmp_path, trajectories):
    record = ModelRecord(resume_file=tmp_path / "run.safetensors")
    train(record=record)
    other = replace(trajectories, action=(trajectories.action + 1) % 7)
    with pytest.raises(UserError, match=r"is a training under way with demonstrations [0-9a-f]{12}, not [0-9a-f]{12}"):
        train(record=record, data=other)


def test_ctrl_c_saves_the_step_under_way_and_the_training_goes_on_to_the_same_bits(train, tmp_path):
    class PressesCtrlC(Kept):
        def keep_step(self, model, step):
            super().keep_step(model, step)
            if step == 3:
                signal.raise_signal(signal.SIGINT)

    config = replace(TINY, n_checkpoints=4)
    record = ModelRecord(Logbook(tmp_path / "log.jsonl"), tmp_path / "run.safetensors", keeper=PressesCtrlC())
    with pytest.raises(KeyboardInterrupt, match=r"after 3 of 20 steps, which .*run\.safetensors keeps: give the same"):
        train(config, record=record)
    goes_on = Kept()
    assert torch.equal(weights(train(config, record=replace(record, keeper=goes_on))), weights(train(config)))
    assert list(goes_on.steps) == [7, 20]


def test_ctrl_c_without_a_file_says_how_far_it_came(train):
    with pytest.raises(KeyboardInterrupt, match=r"interrupted after 7 of 20 steps\.$"):
        train(record=ModelRecord(probe=lambda _: signal.raise_signal(signal.SIGINT) or {}))
