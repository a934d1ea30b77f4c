from pathlib import Path

from dtinterp.commands.flip import is_flip

ROOT = Path(__file__).parents[3]


def test_the_file_of_a_flip_is_told_from_that_of_any_experiment(tmp_path: Path) -> None:
    assert is_flip(ROOT / "experiments" / "instruction-flip" / "experiment.yaml")
    assert not is_flip(ROOT / "experiments" / "set-a-feature" / "experiment.yaml")
    nothing = tmp_path / "experiment.yaml"
    nothing.write_text("windows: plays", encoding="utf-8")
    assert not is_flip(nothing)
