import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.experiment.standing import differences, write_result
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.interventions.instruction_flip.result import result_of


@pytest.fixture
def artefact(planted_report: InterventionReport, tmp_path: Path) -> Artefact:
    return save(tmp_path / "report", planted_report, seed=0, parents=[])


def test_the_result_says_what_it_rests_on_and_what_was_found(
    planted_report: InterventionReport, artefact: Artefact, tmp_path: Path
) -> None:
    file = tmp_path / "result.json"
    write_result(file, result_of(planted_report, artefact))
    result = json.loads(file.read_text(encoding="utf-8"))
    assert result["rests_on"]["report"] == artefact.manifest.digest
    assert result["refuted_by"] == []
    assert result["specification"]["n_draws"] == 30
    assert result["turned_at_opposite"]["instruction"] == 4
    assert result["turned_at_opposite"]["control_share"]["n"] == 120
    assert result["restored"]["(0,5) (4,2)"] == pytest.approx([1.0] * 4, abs=0.01)
    assert result["closed_loop"][0]["opposite"]["other_target"]["estimate"] == 1.0
    assert result["direction"]["separates_keys_from_balls"] is True


def test_logit_differences_are_listed_by_configuration_and_coefficient(
    planted_report: InterventionReport, artefact: Artefact
) -> None:
    listed = json.loads(json.dumps(result_of(planted_report, artefact)))["logit_difference"]
    assert torch.tensor(listed["instruction"]).shape == (4, 5)
    torch.testing.assert_close(torch.tensor(listed["instruction"]), planted_report.dose.instruction, rtol=1e-5, atol=0)
    median = torch.tensor(listed["control_quantiles"]["0.5"])
    expected = planted_report.dose.controls.numpy()
    for configuration in range(4):
        for coefficient in range(5):
            ordered = sorted(expected[:, configuration, coefficient])
            middle = (ordered[14] + ordered[15]) / 2
            assert median[configuration, coefficient].item() == pytest.approx(middle, rel=1e-4)


def test_a_fraction_of_nothing_is_null(planted_report: InterventionReport, artefact: Artefact) -> None:
    unmoved = replace(planted_report, flipped=planted_report.dose.original)
    assert json.loads(json.dumps(result_of(unmoved, artefact), allow_nan=False))["restored"]["(0,5)"] == [None] * 4


def test_an_existing_result_is_kept_unless_told_otherwise(
    planted_report: InterventionReport, artefact: Artefact, tmp_path: Path
) -> None:
    file = tmp_path / "result.json"
    file.write_text("old", encoding="utf-8")
    with pytest.raises(UserError, match=r"result\.json exists already: give --replace"):
        write_result(file, result_of(planted_report, artefact))
    assert file.read_text(encoding="utf-8") == "old"
    write_result(file, result_of(planted_report, artefact), replace=True)
    assert json.loads(file.read_text(encoding="utf-8"))["refuted_by"] == []


def test_nothing_else_is_left_beside_the_result(
    planted_report: InterventionReport, artefact: Artefact, tmp_path: Path
) -> None:
    folder = tmp_path / "experiment"
    folder.mkdir()
    write_result(folder / "result.json", result_of(planted_report, artefact))
    assert [path.name for path in folder.iterdir()] == ["result.json"]


def test_a_result_is_reproduced_where_only_the_last_digits_differ(
    planted_report: InterventionReport, artefact: Artefact
) -> None:
    standing = json.loads(json.dumps(result_of(planted_report, artefact)))
    standing["rests_on"]["report"] = "another machine's last bits"
    standing["logit_difference"]["original"][0] *= 1.0005
    assert differences(standing, result_of(planted_report, artefact)) == []
    standing["logit_difference"]["original"][0] *= 1.01
    standing["refuted_by"] = ["something"]
    del standing["specification"]["seed"]
    assert differences(standing, result_of(planted_report, artefact)) == [
        "refuted_by/0",
        "logit_difference/original/0",
        "specification/seed",
    ]
