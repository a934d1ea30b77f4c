"""README's third use, word for word, in a checkout as it was cloned."""

import json
import re
from pathlib import Path

import pytest

from dtinterp.cli import main
from dtinterp.commands.flip import is_flip
from dtinterp.foundation.artefacts.codec import save
from dtinterp.interventions.experiment.opening import open_experiment
from dtinterp.interventions.experiment.running import run_opened
from dtinterp.interventions.experiment.specification import read_experiment
from dtinterp.interventions.experiment.standing import differences
from dtinterp.interventions.experiment.tables import result_of

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


MODEL = ROOT / "checkpoints" / "models" / "memory-dt-small-0"
QUICK = {
    "controls: {matched_features: 19, random_directions: 99": "controls: {matched_features: 2, random_directions: 2"
}


@pytest.fixture
def begun(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that `experiment new` writes, with fewer controls."""
    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    monkeypatch.chdir(tmp_path)
    assert main(["experiment", "new", "experiments/mine"]) == 0
    assert "run it" in capsys.readouterr().out
    file = tmp_path / "experiments" / "mine" / "experiment.yaml"
    text = file.read_text(encoding="utf-8")
    for old, new in QUICK.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return file


def test_a_new_experiment_is_checked_run_reproduced_and_listed(
    begun: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experiment", "check", "experiments/mine/experiment.yaml"]) == 0
    said = capsys.readouterr().out
    assert "edit 1, matched features 2, random directions 2, wrong sign 1, other slots 4, untrained model 1" in said
    assert "4: Key,Key-Ball" in said
    assert main(["experiment", "run", "experiments/mine/experiment.yaml"]) == 0
    said = capsys.readouterr().out
    assert "logit(left) − logit(right)" in said
    result = json.loads(begun.with_name("result.json").read_text(encoding="utf-8"))
    assert result["windows"] == ["Key,Key-Ball", "Key,Ball-Key", "Ball,Ball-Key", "Ball,Key-Ball"]
    made = tmp_path / "results" / "experiments"
    assert sorted(path.name for path in made.iterdir()) == ["mine", "mine.html", "mine.parquet"]
    page = (made / "mine.html").read_text(encoding="utf-8")
    assert page.count("plotly-graph-div") == 3
    assert main(["experiment", "run", str(begun), "--out", "again"]) == 0
    assert "reproduced: every number" in capsys.readouterr().out
    assert main(["experiment", "list"]) == 0
    assert result["verdict"] in capsys.readouterr().out


def test_another_model_leaves_the_result_as_it_is(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = "checkpoints/models/memory-dt-small-1"
    text = begun.read_text(encoding="utf-8").replace("memory-dt-small-0", "memory-dt-small-2")
    begun.write_text(text, encoding="utf-8")
    assert main(["experiment", "run", str(begun), "--model", other, "--out", "elsewhere"]) == 0
    assert "on another model" in capsys.readouterr().out
    assert not begun.with_name("result.json").exists()


def test_what_is_wrong_is_one_sentence_and_exit_code_2(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment", "new", "experiments/mine"]) == 2
    assert "experiments/mine/experiment.yaml exists already: give another folder" in capsys.readouterr().err
    assert main(["experiment", "list", "checkpoints"]) == 2
    assert "checkpoints holds no */experiment.yaml: begin one" in capsys.readouterr().err
    begun.write_text(begun.read_text(encoding="utf-8").replace("measure:", "mesure:"), encoding="utf-8")
    assert main(["experiment", "run", str(begun)]) == 2
    assert "the field 'mesure' is unknown" in capsys.readouterr().err


def test_the_schema_is_json_that_editors_read(tmp_path: Path) -> None:
    assert main(["experiment", "schema", str(tmp_path / "schema.json")]) == 0
    assert "edits" in json.loads((tmp_path / "schema.json").read_text(encoding="utf-8"))["properties"]


MOST_WINDOWS = 200
WINDOWS_ALONE = ("windows", "doses", "changes", "controls", "side_effects")
"""What a result says of windows, which is fast to find again; whole episodes take minutes."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "file",
    [file for file in sorted((ROOT / "experiments").glob("*/experiment.yaml")) if not is_flip(file)],
    ids=lambda file: file.parent.name,
)
def test_what_ships_comes_out_again_in_its_windows(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    opened = open_experiment(read_experiment(file).model_copy(update={"closed_loop": None}))
    if len(opened.names.names) > MOST_WINDOWS:
        pytest.skip("too many windows for a test; dtinterp experiment run compares them")
    result = run_opened(opened)
    found = result_of(result, save(tmp_path / "found", result, seed=0))
    standing = json.loads(file.with_name("result.json").read_text(encoding="utf-8"))
    assert not differences({key: standing[key] for key in WINDOWS_ALONE}, {key: found[key] for key in WINDOWS_ALONE})
