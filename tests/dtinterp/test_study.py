import json
import math
import shlex
from dataclasses import replace
from functools import partial
from inspect import signature
from pathlib import Path

import pytest

from dtinterp.cli import main
from dtinterp.cli.parsing import parsed
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.features.labels.labelling import LabellingConfig
from dtinterp.foundation.errors import UserError
from dtinterp.study import StudyConfig, run_study, study
from tests.faults.killing import kill_at

ROOT = Path(__file__).parents[2]
QUICK = {
    "FITS": (FitConfig(TopK(8), width=64, n_steps=20), FitConfig(Pca(8))),
    "LabellingConfig": partial(LabellingConfig, n_windows=256, n_fit_windows=64),
    "EquivalenceConfig": partial(
        EquivalenceConfig, n_plays=64, n_joint=64, n_searched=8, n_wandered=4, n_rounds=2, n_quotient_draws=2
    ),
}
"""Stages of a study as it is, with less to do."""


@pytest.mark.slow
def test_the_shipped_model_is_studied_from_its_windows_to_the_report_also_where_it_was_killed(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(ROOT)
    for stage, quick in QUICK.items():
        monkeypatch.setattr(f"dtinterp.study.{stage}", quick)
    out = tmp_path / "study"
    words = ["study", "--out", str(out), "--n-frames", "12"]
    kill_at(lambda: main(words), tmp_path, operation=300)
    stood = {manifest: manifest.stat().st_ino for manifest in out.rglob("[!.]*/manifest.json")}
    assert len(stood) > 3
    assert main(["study", "--out", str(out), "--n-frames", "13"]) == 2
    assert "an unfinished study with other settings" in capsys.readouterr().err
    assert main(words) == 0
    told, command = (
        capsys.readouterr().out,
        f"dtinterp study --model small --out {out} --n-frames 12 --epsilon 0.05 --seed 0",
    )
    assert str(out / "report.html") in told
    assert command in told
    assert {manifest: manifest.stat().st_ino for manifest in stood} == stood, "a stage that stood was done again"
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith((".", "unfinished"))]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "memory-dt-small-0" in page
    assert main(["report", str(out), "--replace"]) == 0
    assert (out / "report.html").read_text(encoding="utf-8") == page, "the files of a study say something else"
    sources = json.loads((out / "study.json").read_text())
    assert set(sources["seconds"]) >= {"instruction flip", "equivalence"}
    assert sources["command"] == command
    assert main(words) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_study_of_something_that_is_not_there_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["study"]) == 2
    assert "experiments/" in capsys.readouterr().err


def test_the_command_of_a_study_asks_for_the_same_study():
    config = StudyConfig("large", out=Path("my results"), n_frames=7, epsilon=0.0123456789, seed=3)
    for each in (replace(config, from_scratch=True), replace(config, equivalence=Path("my classes"))):
        call = parsed("study", shlex.split(each.command)[2:])
        assert signature(study).bind(*call.args, **call.keywords).arguments == {"config": each}


@pytest.mark.parametrize("setting", [{"epsilon": -1.0}, {"epsilon": math.nan}, {"n_frames": 1}, {"seed": -1}])
def test_what_a_late_stage_would_refuse_is_refused_at_once(setting):
    with pytest.raises(UserError, match=next(iter(setting))):
        StudyConfig(**setting)


def test_classes_of_another_model_are_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    others = Path("checkpoints/studies/memory-dt/plays")
    with pytest.raises(UserError, match="memory-dt"):
        run_study(StudyConfig(out=tmp_path / "study", equivalence=others))
    assert not (tmp_path / "study").exists()
    with pytest.raises(UserError, match="not both"):
        StudyConfig(from_scratch=True, equivalence=others)


@pytest.mark.parametrize("missing", ["AGENT", "DEMONSTRATIONS", "EXPERIMENT"])
def test_what_a_late_stage_opens_is_looked_for_at_once(tmp_path, monkeypatch, missing):
    monkeypatch.setattr(f"dtinterp.study.{missing}", tmp_path / "nobody")
    with pytest.raises(UserError, match="nobody"):
        run_study(StudyConfig(out=tmp_path / "study"))
    assert not (tmp_path / "study").exists()
