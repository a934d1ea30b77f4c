from pathlib import Path

import pytest

from dtinterp.cli import main
from dtinterp.features.belief_geometry import BELIEFS
from dtinterp.foundation.artefacts.codec import read

FEW = ["--n-plays", "120", "--longest", "3", "--n-folds", "3", "--facts", "instruction", "correct_turn"]


def test_what_the_command_writes_opens_with_its_model_as_a_parent(small_study: Path, tmp_path: Path) -> None:
    model = small_study / "models" / "novice"
    assert main(["regress-beliefs", *FEW, "--model", str(model), "--out", str(tmp_path / "beliefs")]) == 0
    found, artefact = read(tmp_path / "beliefs", BELIEFS)
    assert found.config.facts == ("instruction", "correct_turn")
    assert found.sites[0] == "hook_obs_embed"
    assert any(parent.startswith("model/novice") for parent in artefact.manifest.parents)


def test_a_fact_that_the_world_lacks_is_refused_in_a_sentence(
    small_study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_study / "models" / "novice"
    options = ["--facts", "weather", "--n-plays", "20", "--longest", "2"]
    assert main(["regress-beliefs", *options, "--model", str(model), "--out", str(tmp_path / "beliefs")]) == 2
    assert "the fact is 'weather', expected one of instruction, top_target" in capsys.readouterr().err
    assert not (tmp_path / "beliefs").exists()
