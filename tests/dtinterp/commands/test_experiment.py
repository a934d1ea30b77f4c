"""README's third use, word for word, in a checkout as it was cloned."""

import json
import re
from pathlib import Path

import pytest

from dtinterp.cli import main

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_the_line_in_the_readme_runs_and_leaves_what_ships_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("checkpoints", "experiments"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^dtinterp (experiment run .*)$", readme.replace("\\\n", ""), re.MULTILINE)
    result = ROOT / "experiments" / "instruction-flip" / "result.json"
    before = result.read_bytes()
    assert main(line.split()) == 0
    said = capsys.readouterr().out
    assert "refuted by  nothing" in said
    assert "reproduced: every number of experiments/instruction-flip/result.json came out again, to 0.001" in said
    assert result.read_bytes() == before
    assert (tmp_path / "results" / "experiments" / "instruction-flip" / "manifest.json").is_file()


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    """The command line of the experiment that ships, with two of everything that is drawn, in a folder of its own."""
    text = (ROOT / "experiments" / "instruction-flip" / "experiment.yaml").read_text(encoding="utf-8")
    text = re.sub("(?<=n_draws: )[0-9]+|(?<=n_episodes: )[0-9]+", "2", text)
    (tmp_path / "experiment.yaml").write_text(text, encoding="utf-8")
    model = ROOT / "checkpoints" / "models" / "memory-dt-small-0"
    return ["experiment", "run", str(tmp_path / "experiment.yaml"), "--model", str(model), "--out"]


def test_where_no_result_stands_it_is_written_and_one_that_stands_is_held_against(
    small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "result.json"
    assert main([*small, str(tmp_path / "first")]) == 0
    assert f"written to {result}" in capsys.readouterr().out
    assert json.loads(result.read_text(encoding="utf-8"))["rests_on"]["report"]
    changed = {**json.loads(result.read_text(encoding="utf-8")), "configurations": []}
    result.write_text(json.dumps(changed), encoding="utf-8")
    assert main([*small, str(tmp_path / "second")]) == 0
    assert "stands and differs in entries: 4, the first configurations/0; --replace" in capsys.readouterr().out
    assert json.loads(result.read_text(encoding="utf-8")) == changed
    assert main([*small, str(tmp_path / "second"), "--replace"]) == 0
    assert json.loads(result.read_text(encoding="utf-8"))["configurations"]


def test_a_result_that_is_damaged_or_a_report_that_stands_is_refused_before_any_work(
    small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").mkdir()
    assert main([*small, str(tmp_path / "taken")]) == 2
    assert "taken exists already" in capsys.readouterr().err
    (tmp_path / "result.json").write_text("{", encoding="utf-8")
    assert main([*small, str(tmp_path / "report")]) == 2
    assert "result.json is damaged (it is no JSON)" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_a_wrong_file_leaves_nothing_behind(
    small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("n_draws: 2", "n_draws: none"), encoding="utf-8")
    assert main([*small, str(tmp_path / "report")]) == 2
    assert "n_draws is 'none'" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["experiment.yaml"]
