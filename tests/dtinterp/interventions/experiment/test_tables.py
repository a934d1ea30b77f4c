import json
from pathlib import Path

import pytest
import torch

from dtinterp.foundation.artefacts.codec import load_any, save
from dtinterp.interventions.experiment.standing import differences
from dtinterp.interventions.experiment.tables import changes_table, result_of


def test_a_result_is_an_artefact_that_comes_back_whole(by_hand, weak, tmp_path: Path) -> None:
    result = by_hand(weak)
    save(tmp_path / "found", result, seed=0)
    found, artefact = load_any(tmp_path / "found")
    assert found.specification == result.specification
    assert found.claims == result.claims
    assert torch.equal(found.arms[1].changes, result.arms[1].changes)
    assert differences(result_of(found, artefact), result_of(result, artefact)) == []


def test_every_change_is_a_row(by_hand, weak) -> None:
    table = changes_table(by_hand(weak, weak))
    assert len(table) == 3 * 2 * 2 * 4
    row = table[(table["arm"] == "the edit") & (table["measure"] == "decision flipped") & (table["dose"] == 5)]
    assert row["change"].tolist() == [1.0, 1.0, 1.0, 0.0]
    assert row["window"].tolist() == ["a", "b", "c", "d"]


def test_the_result_says_the_verdict_the_claims_and_the_features_beside_it(by_hand, weak, tmp_path: Path) -> None:
    result = by_hand(*[weak] * 39)
    artefact = save(tmp_path / "found", result, seed=0)
    listed = json.loads(json.dumps(result_of(result, artefact), allow_nan=False))
    assert listed["rests_on"]["report"] == artefact.manifest.digest
    assert listed["verdict"].startswith("An effect beyond controls")
    assert listed["claims"][1]["effect"]["estimate"] == pytest.approx(0.75)
    assert listed["changes"]["logit(left) − logit(right)"][1] == [4.0, -4.0, 4.0, -2.0]
    assert listed["side_effects"]["topk"] == [
        {"feature": 1, "mean_change": 2.0},
        {"feature": 2, "mean_change": 1.0},
    ]
