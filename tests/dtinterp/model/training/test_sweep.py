from dataclasses import fields
from pathlib import Path

import pytest

from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.training.sweep import Sweep, SweepTrial, config_of, read_sweep, trials_of

ROOT = Path(__file__).parents[4]
SMALL = "demonstrations: walks\nwidths: [16, 32]\nlayers: [1, 2]\nseeds: [0, 7]\n"


@pytest.fixture
def written(tmp_path: Path):
    def write(more: str = "", text: str = SMALL) -> Path:
        path = tmp_path / "sweep.yaml"
        path.write_text(text + more, encoding="utf-8")
        return path

    return write


def test_a_sweep_has_every_size_from_each_seed_one_seed_after_another(written):
    trials = trials_of(read_sweep(written()))
    assert trials[:4] == [SweepTrial(16, 1, 0), SweepTrial(16, 2, 0), SweepTrial(32, 1, 0), SweepTrial(32, 2, 0)]
    assert trials[4:] == [SweepTrial(trial.d_model, trial.n_layers, 7) for trial in trials[:4]]
    assert trials[1].name == "width-16-layers-2-seed-0"


def test_a_trial_is_the_base_training_with_its_own_size_and_seed(written):
    sweep = read_sweep(written("d_head: 8\nneurons_per_width: 3\ntraining: {steps: 9, model: {gated_mlp: true}}"))
    config = config_of(SweepTrial(32, 2, 7), sweep)
    shape = ModelConfig(d_model=32, n_layers=2, n_heads=4, d_mlp=96, gated_mlp=True)
    assert config == TrainConfig(shape, steps=9, seed=7)


def test_without_options_a_trial_of_the_usual_size_is_the_usual_model(written):
    assert config_of(SweepTrial(128, 2, 0), read_sweep(written())) == TrainConfig()


def test_a_size_that_no_model_has_is_refused_when_it_is_its_turn(written):
    sweep = read_sweep(written(text=SMALL.replace("16, 32", "100, 128")))
    with pytest.raises(UserError, match="d_model is 100, expected a multiple of n_heads, 3"):
        config_of(SweepTrial(100, 1, 0), sweep)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("steps: 3", "the field 'steps' is unknown, expected demonstrations, widths, layers, seeds, d_head"),
        (
            "training: {step: 3}",
            "training is .*: training sets step, expected options that a sweep does not set itself",
        ),
        ("training: {seed: 3}", "training sets seed, expected options that a sweep does not set itself; correct it"),
        ("training: {model: {d_model: 64}}", "training.model sets d_model, expected options that a sweep does not"),
        ("training: {steps: many}", "training.steps is 'many': input should be a valid integer"),
        ("training: {steps: 0}", "steps is 0, expected at least 1: give another value"),
        ("n_episodes: 0", "n_episodes is 0: input should be greater than or equal to 1"),
        ("target_return: -1", "target_return is -1: input should be greater than or equal to 0"),
    ],
)
def test_what_is_wrong_with_a_sweep_gets_one_sentence(written, more, sentence):
    with pytest.raises(UserError, match=sentence):
        read_sweep(written(more))


@pytest.mark.parametrize(("field", "entries"), [("widths", "[]"), ("layers", "[0]"), ("seeds", "[1, 1]")])
def test_every_list_has_distinct_entries(written, field, entries):
    lines = [f"{field}: {entries}" if line.startswith(field) else line for line in SMALL.splitlines()]
    with pytest.raises(UserError, match=f"sweep.yaml: {field}"):
        read_sweep(written(text="\n".join(lines)))


def test_the_sweep_in_experiments_is_whole():
    sweep = read_sweep(ROOT / "experiments" / "model-sizes" / "sweep.yaml")
    assert (ROOT / sweep.demonstrations).is_dir()
    assert all(config_of(trial, sweep).seed == trial.seed for trial in trials_of(sweep))


def test_every_field_of_a_sweep_is_described():
    assert all(field.description for field in Sweep.model_fields.values())
    assert {field.name for field in fields(SweepTrial)} == {"d_model", "n_layers", "seed"}
