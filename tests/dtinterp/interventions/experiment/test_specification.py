from pathlib import Path

import pytest
import yaml

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.experiment.specification import MEASURES, Experiment, read_experiment
from dtinterp.interventions.experiment.template import template

ROOT = Path(__file__).parents[4]
SHIPPED = sorted((ROOT / "experiments").glob("*/experiment.yaml"))
SHORT = """
question: Does it?
windows: decision_points
edits:
  - set: {feature: 3}
    at: hook_obs_embed
    to: 2
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "experiment.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_six_lines_are_an_experiment_with_all_controls_on(tmp_path: Path) -> None:
    experiment = read_experiment(written(tmp_path, SHORT))
    assert experiment.measure == MEASURES
    assert (experiment.controls.matched_features, experiment.controls.random_directions) == (19, 99)
    assert experiment.controls.wrong_sign
    assert experiment.controls.untrained
    assert experiment.closed_loop is None
    assert experiment.said == yaml.safe_load(
        "{question: 'Does it?', windows: {kind: decision_points},"
        " edits: [{set: {feature: 3}, at: {site: hook_obs_embed}, to: 2.0}]}"
    )


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.parent.name)
def test_what_ships_says_what_it_was_read_from(file: Path) -> None:
    if "question" not in yaml.safe_load(file.read_text(encoding="utf-8")):
        pytest.skip("an instruction flip, whose file is of its own kind")
    experiment = read_experiment(file)
    assert Experiment.model_validate(yaml.safe_load(yaml.safe_dump(experiment.said))) == experiment
    assert Experiment.model_validate_json(experiment.model_dump_json(by_alias=True)) == experiment


def test_the_template_is_an_experiment(tmp_path: Path) -> None:
    experiment = read_experiment(written(tmp_path, template(model="models/m", dictionary='"studies/{model}/d"')))
    assert experiment.subject.folders() == {"topk": Path("studies/m/d")}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("question:", "qestion:", "the field 'qestion' is unknown, expected question, .*, the nearest is question"),
        ("decision_points", "decision_point", "input tag 'decision_point'"),
        ("set:", "sett:", "edits.0: 'sett' is no edit, .* the nearest is set"),
        ("feature: 3", "feature: x", "edits.0.set.feature is 'x'"),
        ("at: hook_obs_embed", "at: {site: a, slot: frist}", "is 'frist': input should be 'first', 'last'"),
        (
            "to: 2",
            "to: {unit: metre, values: [1]}",
            "edits.0.set.to.unit is 'metre'",
        ),
        ("to: 2", "to: 2\nmeasure: [flipp]", "'flipp' is no measure, .* the nearest is flip"),
        ("to: 2", "to: 2\ncontrols: {untrain: false}", "'controls.untrain' is unknown, .* the nearest is untrained"),
        ("to: 2", "to: 2\nclosed_loop: {samplers: [gredy]}", "samplers.0 is 'gredy'"),
        ("to: 2", "to: 2\nseeds: [1, 1]", "an entry stands there twice"),
        ("edits:", "edits: []\nedit:", "the field 'edit' is unknown"),
        (
            "to: 2",
            "to: 2\n  - {ablate: {feature: 3}, at: hook_obs_embed}",
            r"{'feature': 3} at hook_obs_embed is set twice",
        ),
    ],
)
def test_what_is_wrong_gets_a_sentence_that_says_what_exists(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read_experiment(written(tmp_path, SHORT.replace(old, new)))


def test_a_schema_names_every_edit_and_every_kind_of_windows() -> None:
    schema = yaml.safe_dump(Experiment.model_json_schema())
    for word in ("rewrite", "oblique", "as_in_frame", "held_out", "decision_points", "matched_features", "refuted_if"):
        assert word in schema
