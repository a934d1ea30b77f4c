from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.activations.storage import load_harvest
from dtinterp.cli import main
from dtinterp.commands.dictionaries.fit_dictionary import DictionaryConfig, fit_dictionary
from dtinterp.commands.features.describe import describe
from dtinterp.commands.models.harvest import HarvestConfig, harvest
from dtinterp.commands.reading import read_dictionary
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.kinds import Kind
from dtinterp.dictionary.kinds.autoencoders.jump_relu import JumpReLU
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.items import Items
from dtinterp.dictionary.rows.distinct import distinct_rows
from dtinterp.dictionary.storage import load_dictionary, load_score
from dtinterp.dictionary.training.batched_training import Run
from dtinterp.dictionary.variations import Variations
from dtinterp.features.describe import DescribeConfig
from dtinterp.foundation.artefacts.artefact import Artefact, Content, write_artefact
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.resume import suspend
from dtinterp.interventions.replacements.scoring import Judging
from dtinterp.interventions.returns.model_returns import ActingConfig
from dtinterp.model.storage import load_model
from dtinterp.subject.subject import open_subject


class Subject(TypedDict):
    """What a command is about."""

    model: Path
    demonstrations: Path


@pytest.fixture
def subject(small_study: Path) -> Subject:
    return {"model": small_study / "models" / "novice", "demonstrations": small_study / "demonstrations" / "walks"}


def _small(fit: FitConfig) -> DictionaryConfig:
    return DictionaryConfig(fit=fit, n_windows=64, n_held_out_windows=32, judging=Judging(ActingConfig(n_episodes=2)))


def _fit(out: Path, subject: Subject, kind: Kind) -> tuple[Artefact, ...]:
    return fit_dictionary(_small(FitConfig(kind, width=32, n_steps=20)), out, **subject)


@pytest.mark.parametrize("kind", [TopK(4), JumpReLU(), Items(4)], ids=lambda kind: type(kind).__name__)
def test_a_fitted_dictionary_is_scored_on_held_out_rows(kind: Kind, tmp_path: Path, subject: Subject) -> None:
    _fit(tmp_path / "dictionary", subject, kind)
    score, dictionary = load_score(tmp_path / "dictionary"), load_dictionary(tmp_path / "dictionary")
    assert dictionary.kind == kind
    assert score is not None
    assert score.held_out is not None
    assert score.held_out.everything.fvu.estimate == pytest.approx(score.fvu.estimate)
    assert score.held_out.everything.width == dictionary.width
    assert score.held_out.fitted.n_distinct == score.held_out.fitted.n_rows
    assert score.acting is not None
    assert set(score.acting.exact) == {"clean", "spliced", "zero", "mean"}
    assert score.acting.played["temperature=1"]["clean"].change.estimate == 0


def test_a_finished_fit_leaves_nothing_but_the_artefact(tmp_path: Path, subject: Subject) -> None:
    _fit(tmp_path / "dictionary", subject, TopK(4))
    assert [path.name for path in tmp_path.iterdir()] == ["dictionary"]


def test_a_width_beyond_the_distinct_inputs_is_warned_of_in_the_metrics(tmp_path: Path, subject: Subject) -> None:
    config = _small(FitConfig(TopK(4), width=4096, n_steps=2))
    fit_dictionary(config, tmp_path / "dictionary", **subject)
    score = load_score(tmp_path / "dictionary")
    assert score is not None
    assert score.held_out is not None
    assert "width 4096 exceeds" in score.held_out.warnings[0]


def test_features_of_embeddings_are_held_against_the_items(tmp_path: Path, subject: Subject) -> None:
    _fit(tmp_path / "dictionary", subject, Items(4))
    config = DescribeConfig(n_windows=32)
    described = describe(config, tmp_path / "dictionary", tmp_path / "features", **subject)
    items = TypeAdapter(dict[str, Any]).validate_python(described.manifest.metrics["items"])
    assert items["n_items"] == 980
    assert items["recovery"]["matched"]["estimate"] > items["recovery"]["chance"]["estimate"]


def test_a_stack_is_written_site_by_site_and_knows_how_consistent_its_seeds_are(
    tmp_path: Path, subject: Subject
) -> None:
    config = replace(
        _small(FitConfig(TopK(2), n_steps=4)),
        vary=Variations(n_features=(8, 16), seeds=(0, 1)),
        sites=("hook_obs_embed", "blocks.0.hook_resid_mid"),
    )
    made = fit_dictionary(config, tmp_path / "stack", **subject)
    names = ("topk-8-k2", "topk-8-k2-m1", "topk-16-k2", "topk-16-k2-m1")
    assert [each.path for each in made] == [tmp_path / "stack" / site / name for site in config.sites for name in names]
    score = load_score(made[-1].path)
    assert score is not None
    assert score.consistency is not None
    assert score.consistency.matched.n == 16
    assert score.verdict is not None
    assert [each.concept for each in score.hierarchies] == ["key in view", "ball in view"]
    assert not list(tmp_path.glob("*unfinished*"))


def test_a_site_that_is_named_twice_is_refused() -> None:
    with pytest.raises(UserError, match="--sites names hook_obs_embed more than once: give each site once"):
        DictionaryConfig(sites=("hook_obs_embed", "blocks.0.hook_resid_mid", "hook_obs_embed"))


def test_the_control_is_fitted_to_an_untrained_model(tmp_path: Path, subject: Subject) -> None:
    config = replace(_small(FitConfig(TopK(2), width=8, n_steps=4)), untrained=True)
    fit_dictionary(config, tmp_path / "control", **subject)
    assert load_dictionary(tmp_path / "control").name == "untrained topk-8-k2"
    assert load_dictionary(tmp_path / "control").of_untrained


def test_the_control_is_not_taken_for_a_dictionary_of_the_trained_model(tmp_path: Path, subject: Subject) -> None:
    config = replace(_small(FitConfig(TopK(2), width=8, n_steps=4)), untrained=True)
    fit_dictionary(config, tmp_path / "control", **subject)
    with pytest.raises(UserError, match=r"control was fitted to an untrained model of the shape of .*novice"):
        read_dictionary(open_subject(**subject), tmp_path / "control")
    control, _ = read_dictionary(open_subject(**subject, untrained=True), tmp_path / "control")
    assert control.of_untrained


def test_a_harvest_on_disk_is_learnt_and_recorded_as_a_parent(tmp_path: Path, subject: Subject) -> None:
    harvest(HarvestConfig(n_windows=48), tmp_path / "rows", **subject)
    config = replace(_small(FitConfig(TopK(2), width=8, n_steps=4)), rows=tmp_path / "rows")
    (made,) = fit_dictionary(config, tmp_path / "dictionary", **subject)
    assert "activations/rows" in made.manifest.parents
    score = load_score(made.path)
    assert score is not None
    assert score.held_out is not None
    rows, _ = load_harvest(tmp_path / "rows")
    assert score.held_out.fitted.n_distinct == len(distinct_rows(rows.value).value)


def test_a_harvest_is_of_one_site() -> None:
    with pytest.raises(UserError, match="rows holds rows of one site: give --site, and no --sites"):
        DictionaryConfig(rows=Path("rows"), sites=("hook_obs_embed",))


def test_a_stack_with_one_place_taken_is_refused_before_any_work(tmp_path: Path, subject: Subject) -> None:
    config = replace(_small(FitConfig(TopK(2), n_steps=4)), vary=Variations(n_features=(8, 16)))
    (tmp_path / "stack" / "hook_obs_embed" / "topk-16-k2").mkdir(parents=True)
    with pytest.raises(UserError, match="topk-16-k2 exists already"):
        fit_dictionary(config, tmp_path / "stack", **subject)
    assert not (tmp_path / "stack" / "hook_obs_embed" / "topk-8-k2").exists()


def _words(subject: Subject, out: Path, *more: str | Path) -> list[str]:
    """Return the command line of a small fit."""
    small = ("--n-windows", "64", "--n-held-out-windows", "32", "--n-episodes", "2", "--n-steps", "30", "--width", "8")
    places = ("--model", subject["model"], "--demonstrations", subject["demonstrations"], "--out", out)
    return [str(word) for word in ("fit-dictionary", *places, *small, *more)]


def _written_harvest(path: Path, subject: Subject, value: Tensor) -> Path:
    """Write rows as if they had been harvested from the first training steps."""
    parents = [load_model(subject["model"]).artefact, load_trajectories(subject["demonstrations"])[1]]
    steps = torch.arange(len(value))
    content = Content(
        "activations", {"side": "train", "site": "hook_obs_embed"}, {"value": value, "step": steps, "slot": steps}, {}
    )
    return write_artefact(path, content, parents=parents, seed=0).path


@pytest.mark.parametrize(
    ("spoilt", "sentence"),
    [
        (
            lambda rows: rows.index_fill(0, torch.tensor([1, 4]), torch.nan),
            "2 of 8 rows of value hold NaN or infinity",
        ),
        (lambda rows: rows[:1].repeat(8, 1), "All 1 rows are the same vector, expected at least 2 distinct ones"),
    ],
    ids=["NaN", "one distinct row"],
)
def test_a_bad_harvest_gets_one_sentence_on_the_command_line(
    spoilt: Callable[[Tensor], Tensor], sentence: str, tmp_path: Path, subject: Subject, capsys: pytest.CaptureFixture
) -> None:
    d_model = load_model(subject["model"]).model.cfg.d_model
    value = spoilt(torch.randn(8, d_model, generator=torch.Generator().manual_seed(0)))
    rows = _written_harvest(tmp_path / "rows", subject, value.contiguous())
    assert main(_words(subject, tmp_path / "dictionary", "--rows", rows)) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert sentence in said
    assert not (tmp_path / "dictionary").exists()


def test_a_file_where_a_harvest_is_wanted_gets_one_sentence(
    tmp_path: Path, subject: Subject, capsys: pytest.CaptureFixture
) -> None:
    np.save(tmp_path / "rows.npy", np.full((4, 8), np.nan, dtype=np.float32))
    assert main(_words(subject, tmp_path / "dictionary", "--rows", tmp_path / "rows.npy")) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "rows.npy" in captured.err


def test_an_interrupted_stack_goes_on_to_the_same_bits(
    tmp_path: Path, subject: Subject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    sites = ("hook_obs_embed", "blocks.0.hook_resid_mid")
    stack = ("--seeds", "0", "1", "--sites", *sites)
    assert main(_words(subject, tmp_path / "whole", *stack)) == 0

    def interrupting(path: Path, run: Run, step: int) -> None:
        suspend(path, run, step)
        if step == 13:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("dtinterp.dictionary.training.batched_training.suspend", interrupting)
        assert main(_words(subject, tmp_path / "stack", *stack)) == 130
    unfinished = tmp_path / "stack.unfinished.safetensors"
    assert unfinished.exists()
    assert not (tmp_path / "stack").exists()
    taken = []

    def counting(path: Path, run: Run, step: int) -> None:
        taken.append(step)
        suspend(path, run, step)

    monkeypatch.setattr("dtinterp.dictionary.training.batched_training.suspend", counting)
    assert main(_words(subject, tmp_path / "stack", *stack)) == 0
    assert taken == list(range(14, 31))
    assert not unfinished.exists()
    capsys.readouterr()
    for site, name in product(sites, ("topk-8-k8", "topk-8-k8-m1")):
        first, second = (load_dictionary(tmp_path / stack / site / name) for stack in ("whole", "stack"))
        for weights in ("W_enc", "b_enc", "W_dec", "b_dec"):
            assert torch.equal(getattr(first, weights), getattr(second, weights)), (site, name, weights)
