import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter

from dtinterp.commands.models.sweep import sweep
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import wilson
from dtinterp.interventions.returns import sweeping
from dtinterp.model.storage import load_model
from dtinterp.model.training.sizes import Scores, Size

ROOT = Path(__file__).parents[4]
PATIENCE = 300
"""Seconds after which a process that should have ended is said to hang."""
TEXT = """
demonstrations: {demonstrations}
widths: {widths}
layers: [1]
seeds: [0, 1]
d_head: 8
n_episodes: 20
training: {{steps: 4, batch_size: 8, validate_every: 2, device: cpu}}
"""


@pytest.fixture
def written(folders, tmp_path):
    def write(widths: tuple[int, ...] = (8, 16), more: str = "") -> Path:
        path = tmp_path / "sweep.yaml"
        path.write_text(TEXT.format(demonstrations=folders.demonstrations, widths=list(widths)) + more)
        return path

    return write


def table(out):
    with out.with_name(f"{out.name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def sizes(artefact):
    return TypeAdapter(dict[str, Size]).validate_python(artefact.manifest.metrics["sizes"])


def scores(kept):
    return TypeAdapter(Scores).validate_python(kept.artefact.manifest.metrics["scores"])


def test_every_size_and_seed_becomes_a_model_a_row_and_a_point(written, tmp_path):
    artefact = sweep(written(), out=tmp_path / "sweep")
    assert set(sizes(artefact)) == {"width 8, layers 1", "width 16, layers 1"}
    rows = table(tmp_path / "sweep")
    assert [(row["d_model"], row["seed"]) for row in rows] == [("8", "0"), ("8", "1"), ("16", "0"), ("16", "1")]
    for row in rows:
        kept = load_model(tmp_path / "sweep.trials" / f"width-{row['d_model']}-layers-1-seed-{row['seed']}")
        assert (kept.config.seed, kept.config.steps) == (int(row["seed"]), 4)
        assert kept.model.n_parameters == int(row["n_parameters"])
        assert scores(kept).loss == float(row["loss"])
        successes = wilson(round(float(row["success"]) * 20), 20)
        assert float(row["success_high"]) == pytest.approx(successes.high)
    mean = sizes(artefact)["width 8, layers 1"].loss
    assert mean.estimate == pytest.approx((float(rows[0]["loss"]) + float(rows[1]["loss"])) / 2)
    assert "Plotly.newPlot" in (tmp_path / "sweep.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "sweep",
        "sweep.csv",
        "sweep.html",
        "sweep.jsonl",
        "sweep.trials",
        "sweep.yaml",
    ]


def test_a_trial_that_is_impossible_and_one_that_raises_do_not_lose_the_others(written, tmp_path, monkeypatch):
    train = sweeping.train_model

    def breaks(trajectories, sides, config, **how):
        if config.model.d_model == 16 and config.seed == 1:
            raise FloatingPointError("the loss is not a number")
        return train(trajectories, sides, config, **how)

    monkeypatch.setattr(sweeping, "train_model", breaks)
    artefact = sweep(written((16, 25)), out=tmp_path / "sweep")
    impossible = "d_model is 25, expected a multiple of n_heads, 3: change either."
    assert artefact.manifest.metrics["failed"] == {
        "width-16-layers-1-seed-1": "FloatingPointError: the loss is not a number",
        **{f"width-25-layers-1-seed-{seed}": impossible for seed in (0, 1)},
    }
    assert [row["failed"] for row in table(tmp_path / "sweep")][1] == "FloatingPointError: the loss is not a number"
    (size,) = sizes(artefact).values()
    assert (size.loss.n, size.n_failed) == (1, 1)


def test_a_sweep_of_which_nothing_comes_is_a_mistake(written, tmp_path):
    with pytest.raises(UserError, match=r"no trial of .* came to an end; width-25-layers-1-seed-0 failed: d_model is"):
        sweep(written((25,)), out=tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_an_interrupted_sweep_goes_on_and_trains_nothing_twice(written, tmp_path, monkeypatch):
    out, train, trained = tmp_path / "sweep", sweeping.train_model, []

    def presses_ctrl_c(trajectories, sides, config, **how):
        trained.append((config.model.d_model, config.seed))
        if len(trained) == 3:
            signal.raise_signal(signal.SIGINT)
        return train(trajectories, sides, config, **how)

    monkeypatch.setattr(sweeping, "train_model", presses_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        sweep(written(), out=out)
    kept = {path.name: path.stat().st_mtime_ns for path in (out.with_name("sweep.trials")).iterdir()}
    sweep(written(), out=out)
    assert trained == [(8, 0), (16, 0), (8, 1), (8, 1), (16, 1)]
    left = {path.name: path.stat().st_mtime_ns for path in (out.with_name("sweep.trials")).iterdir()}
    assert {name: left[name] for name in kept} == kept
    assert not list(tmp_path.rglob("*unfinished*"))


def test_more_sizes_may_be_asked_for_later(written, tmp_path, monkeypatch):
    sweep(written((8,)), out=tmp_path / "sweep")
    train, trained = sweeping.train_model, []
    monkeypatch.setattr(
        sweeping, "train_model", lambda *what, **how: trained.append(what[2].model.d_model) or train(*what, **how)
    )
    sweep(written((8, 16)), out=tmp_path / "sweep", replace=True)
    assert trained == [16, 16]
    assert len(table(tmp_path / "sweep")) == 4


@pytest.mark.parametrize("more", ["target_return: 0.5", "training: {steps: 3}"])
def test_trials_of_other_settings_are_left_alone(written, tmp_path, more):
    sweep(written((8,)), out=tmp_path / "sweep")
    changed = written((8,))
    text = changed.read_text()
    kept = text.partition("training:")[0] if more.startswith("training") else text
    changed.write_text(f"{kept}{more}\n")
    with pytest.raises(UserError, match="seed-0 is a trial with other settings: give another --out, or remove it"):
        sweep(changed, out=tmp_path / "sweep", replace=True)


def test_models_are_asked_for_the_highest_return_of_the_demonstrations(written, folders, tmp_path):
    sweep(written((8,)), out=tmp_path / "sweep")
    asked = load_model(tmp_path / "sweep.trials" / "width-8-layers-1-seed-0").artefact.manifest.metrics["asked"]
    best = read_artefact(folders.demonstrations, kind="demonstrations").tensors["reward"].max().item()
    assert asked == {"n_episodes": 20, "target_return": pytest.approx(best)}


MEETING = """
import sys
from dtinterp.cli import main
from dtinterp.interventions.returns import sweeping
def met(setup, trial):
    from dtinterp.interventions.returns.sweeping import try_out
    if trial.d_model == 8:
        open({meeting!r}, "rw"[trial.seed]).close()  # each end of a pipe opens when the other does: two at one time
    return try_out(setup, trial)
sweeping.try_out = met
sys.exit(main({words}))
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_two_workers_of_ray_make_the_models_that_one_process_makes(written, tmp_path):
    sweep(written(), out=tmp_path / "here")
    paths = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}
    words = ["sweep", str(written((8, 16, 25))), "--out", str(tmp_path / "there"), "--ray-address", "local"]
    meeting = tmp_path / "meeting"
    os.mkfifo(meeting)
    ended = subprocess.run(
        [sys.executable, "-c", MEETING.format(meeting=str(meeting), words=words)],
        env=paths,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    failed = json.loads((tmp_path / "there" / "manifest.json").read_text())["metrics"]["failed"]
    assert list(failed) == ["width-25-layers-1-seed-0", "width-25-layers-1-seed-1"]
    for folder in (tmp_path / "here.trials").iterdir():
        here, there = (load_model(path).model for path in (folder, tmp_path / "there.trials" / folder.name))
        assert all(
            torch.equal(ours, theirs) for ours, theirs in zip(here.parameters(), there.parameters(), strict=True)
        )


@pytest.mark.parametrize("ending", [".csv", ".html", ".jsonl"])
def test_files_beside_it_that_are_not_its_own_are_left_alone(written, tmp_path, ending):
    (tmp_path / f"sweep{ending}").write_text("mine")
    with pytest.raises(UserError, match=f"sweep{ending} exists already: give another --out, or --replace"):
        sweep(written(), out=tmp_path / "sweep")
    assert (tmp_path / f"sweep{ending}").read_text() == "mine"
