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
    (line,) = re.findall(r"^dtinterp (experiment run .*)$", readme, re.MULTILINE)
    result = ROOT / "experiments" / "instruction-flip" / "result.json"
    before = result.read_bytes()
    assert main(line.split()) == 0
    said = capsys.readouterr().out
    assert "refuted by  nothing" in said
    assert "reproduced: every number of experiments/instruction-flip/result.json came out again, to 0.001" in said
    assert result.read_bytes() == before
    assert (tmp_path / "results" / "experiments" / "instruction-flip" / "manifest.json").is_file()


@pytest.mark.slow
def test_a_result_of_another_question_is_said_to_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = ROOT / "experiments" / "instruction-flip"
    file = tmp_path / "experiment.yaml"
    text = (shipped / "experiment.yaml").read_text(encoding="utf-8")
    file.write_text(re.sub("(?<=n_draws: )[0-9]+|(?<=n_episodes: )[0-9]+", "2", text), encoding="utf-8")
    model = ROOT / "checkpoints" / "models" / "memory-dt-small-0"
    options = ["experiment", "run", str(file), "--model", str(model), "--out"]
    assert main([*options, str(tmp_path / "first")]) == 0
    assert f"written to {tmp_path / 'result.json'}" in capsys.readouterr().out
    changed = {**json.loads((tmp_path / "result.json").read_text(encoding="utf-8")), "configurations": []}
    (tmp_path / "result.json").write_text(json.dumps(changed), encoding="utf-8")
    assert main([*options, str(tmp_path / "second")]) == 0
    assert (
        "stands and differs in entries: 4, the first configurations/0; --replace writes it anew"
        in capsys.readouterr().out
    )
