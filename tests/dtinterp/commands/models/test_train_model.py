import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from safetensors import safe_open

from dtinterp.commands.models.train_model import train_model
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.returns.calibration import (
    FOLLOWED,
    TARGETS,
    Play,
    calibration_of,
    recorded_calibration,
    success_probe,
)
from dtinterp.model.breakdown import Breakdown
from dtinterp.model.storage import load_model
from tests.dtinterp.conftest import N_CALIBRATED

ROOT = Path(__file__).parents[4]
STATIC = "MiniGrid-MemoryS7FixedStartStatic-v0"
SHORT = {"d_model": 16, "n_heads": 2, "d_mlp": 16, "steps": 30, "validate_every": 3, "probe_returns": 0.5}


def test_a_model_is_calibrated_for_each_return_and_sampler(folders):
    calibration = recorded_calibration(load_model(folders.model).artefact)
    assert set(calibration) == {"greedy", "temperature=1"}
    for points in calibration.values():
        assert [point.target_return for point in points] == list(TARGETS)
    assert {point.evaluation.success.n for point in calibration["temperature=1"]} == {N_CALIBRATED}


def test_a_greedy_calibration_is_exact(folders):
    for point in recorded_calibration(load_model(folders.model).artefact)["greedy"]:
        shares = [getattr(point.evaluation, name) for name in ("success", "failure", "timeout")]
        assert {share.n for share in shares} == {0}
        assert all(share.low == share.estimate == share.high for share in shares)


def test_what_is_computed_is_what_playing_gives():
    """Of a model that succeeds from two of four starts asked for 0.5, and from three asked for 0.95."""
    model = load_model(ROOT / "checkpoints" / "models" / "memory-dt-small-1").model
    play = Play("MiniGrid-MemoryS7FixedStart-v0", Greedy(), 400)
    exact, played = (calibration_of(model, each, (0.5, 0.95)) for each in (replace(play, bounds=FOLLOWED), play))
    assert [point.evaluation.success.estimate for point in exact] == [0.5, 0.75]
    for point, episodes in zip(exact, played, strict=True):
        for outcome in ("success", "failure", "mean_return"):
            computed, sampled = (getattr(each.evaluation, outcome) for each in (point, episodes))
            assert abs(computed.estimate - sampled.estimate) < sampled.high - sampled.low  # four standard errors


def test_the_outcomes_of_a_calibration_add_up(folders):
    trained = load_model(folders.model)
    (point,) = calibration_of(trained.model, Play(STATIC, Greedy(), 40), (0.5,))
    fares = point.evaluation
    assert fares.success.estimate + fares.failure.estimate + fares.timeout.estimate == pytest.approx(1)


def test_held_out_actions_are_reported_by_slot_return_and_sampler(folders):
    found = TypeAdapter(Breakdown).validate_python(load_model(folders.model).artefact.manifest.metrics["validation"])
    assert set(found.by_sampler) == {"temperature=1", "temperature=5"}
    assert "slot 10" in found.by_slot
    assert found.overall.loss.n == found.by_slot["slot 10"].loss.n


def test_models_are_kept_on_the_way_and_the_last_is_the_model_itself(folders):
    kept = folders.root / "model.steps"
    assert sorted(path.name for path in kept.iterdir()) == ["best", "step-000001", "step-000003", "step-000012"]
    last, model = load_model(kept / "step-000012").model, load_model(folders.model).model
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(last.parameters(), model.parameters(), strict=True))


def test_models_of_another_training_are_not_overwritten(folders):
    with pytest.raises(UserError, match=r"model\.steps holds models of another training: remove it"):
        train_model(
            replace(load_model(folders.model).config, seed=1), folders.demonstrations, folders.model, replace=True
        )


def test_nothing_unfinished_is_left(folders):
    assert not list(folders.root.glob("*unfinished*"))


def test_a_model_is_not_trained_on_something_else(folders, tmp_path):
    with pytest.raises(UserError, match="is of kind agent, expected demonstrations"):
        train_model(load_model(folders.model).config, folders.agent, tmp_path / "model")


def test_a_model_of_ordinal_frames_is_calibrated_like_any_other(draw_model):
    (point,) = calibration_of(draw_model(n_items=147), Play(STATIC, Greedy(), 4), (0.5,))
    assert point.evaluation.success.n == 4


def words(folders, out, **options):
    """The command line of a short training."""
    options = {"demonstrations": folders.demonstrations, "out": out, "batch_size": 33, **SHORT, **options}
    return [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def finished_steps(state):
    with safe_open(state, framework="pt") as file:
        return int(file.metadata()["step"])


def rows(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


INTERRUPTED = """
import os, signal, sys
from dtinterp.cli import main
from dtinterp.model.training import train as training
draw = training._batch
def drawn(trajectories, split, config, step):
    if step == 7 and os.environ["RANK"] == "1":
        {what}
    return draw(trajectories, split, config, step)
training._batch = drawn
sys.exit(main({words}))
"""


@pytest.mark.slow
def test_ctrl_c_at_one_process_stops_all_and_saves_the_step_under_way(folders, tmp_path, in_ranks):
    command = ["train-model", "--quiet", *words(folders, tmp_path / "model")]
    pressed = INTERRUPTED.format(what="signal.raise_signal(signal.SIGINT)", words=command)
    first, second = in_ranks(pressed, 2)
    assert (first.returncode, second.returncode) == (130, 130)
    kept = tmp_path / "model.unfinished.safetensors"
    assert first.stderr == (
        f"dtinterp train-model: interrupted after 8 of 30 steps, which {kept} keeps: give the same command again to go "
        "on.\n"
    )
    assert second.stderr == "dtinterp train-model: interrupted after 8 of 30 steps.\n"
    assert finished_steps(kept) == 8


@pytest.mark.slow
def test_a_killed_process_stops_the_other_and_what_was_measured_stays(folders, tmp_path, in_ranks):
    command = ["train-model", "--quiet", *words(folders, tmp_path / "model")]
    first, second = in_ranks(INTERRUPTED.format(what="os.kill(os.getpid(), signal.SIGKILL)", words=command), 2)
    assert (first.returncode, second.returncode) == (2, -signal.SIGKILL)
    assert first.stderr.startswith("dtinterp train-model: rank 0 of 2 lost another one (")
    assert first.stderr.count("\n") == 1
    assert [row["step"] for row in rows(tmp_path / "model.unfinished.jsonl")] == [3, 6]
    assert finished_steps(tmp_path / "model.unfinished.safetensors") == 6


@pytest.mark.slow
def test_a_batch_with_too_few_windows_for_the_processes_is_refused(folders, tmp_path, in_ranks):
    command = ["train-model", *words(folders, tmp_path / "model", batch_size=3, n_micro_batches=2)]
    ended = in_ranks(f"import sys; from dtinterp.cli import main; sys.exit(main({command}))", 2)
    sentence = "batch_size is 3, expected a window for each of 2 processes times 2 micro batches: change one of them.\n"
    assert [each.returncode for each in ended] == [2, 2]
    assert [each.stderr for each in ended] == [f"dtinterp train-model: {sentence}"] * 2


def test_the_log_keeps_what_is_achieved_for_the_returns_that_were_asked_for(folders):
    (*_, last) = rows(folders.root / "model.jsonl")
    for target in ("0", "0.892"):
        assert last[f"success_at_{target}"] + last[f"failure_at_{target}"] <= 1
        assert 0 <= last[f"return_at_{target}"] <= last[f"success_at_{target}"]


def test_a_model_that_is_asked_for_nothing_plays_once(draw_model):
    clone = draw_model(return_to_go=False)
    assert len(calibration_of(clone, Play(STATIC, Greedy(), 4), (0.0, 0.5))) == 1
    assert set(success_probe([STATIC])(clone)) == {"success", "failure", "return"}
    assert success_probe([STATIC], ())(clone) == {}


def test_a_log_of_something_else_is_not_written_over(folders, tmp_path):
    (tmp_path / "model.jsonl").write_text("mine")
    with pytest.raises(UserError, match=r"model.jsonl exists already: give another --out, or --replace"):
        train_model(load_model(folders.model).config, folders.demonstrations, tmp_path / "model")
    assert (tmp_path / "model.jsonl").read_text() == "mine"
