import json
from pathlib import Path

import pytest

from dtinterp.cli import main

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_shipped_model_is_studied_from_its_windows_to_the_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    out = tmp_path / "study"
    assert main(["study", "--out", str(out), "--n-frames", "12"]) == 0
    assert str(out / "report.html") in capsys.readouterr().out
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "memory-dt-small-0" in page
    sources = json.loads((out / "study.json").read_text())
    assert set(sources["seconds"]) >= {"instruction flip", "equivalence"}
    assert main(["study", "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_study_of_something_that_is_not_there_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["study"]) == 2
    assert "checkpoints/" in capsys.readouterr().err
