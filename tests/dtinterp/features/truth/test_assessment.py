from dataclasses import replace
from pathlib import Path

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import Activations
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.matching import identifiable
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.features.labels.table import LabelConfig
from dtinterp.features.truth.assessment import TRUTH, TruthReport, TruthStudy, subspace, summary_of, truth_report
from dtinterp.foundation.artefacts.codec import load, save
from dtinterp.foundation.errors import UserError
from dtinterp.subject.items import item_directions

SITE = "hook_obs_embed"
CONFIG = LabelConfig(min_firings=2)


@pytest.fixture(scope="module")
def rows(trajectories: Trajectories, items: Float32[Tensor, "frame item"]) -> Activations:
    frame = trajectories.frame_id.long()
    return Activations(items[frame], torch.arange(trajectories.n_steps), torch.zeros_like(frame), SITE)


@pytest.fixture(scope="module")
def report(rows: Activations, trajectories: Trajectories) -> TruthReport:
    return truth_report(_reading(torch.eye(980)), rows, trajectories, CONFIG, W_obs=torch.eye(980))


def _reading(W_enc: Tensor) -> Dictionary:
    """A dictionary whose feature f fires where row @ W_enc[:, f] exceeds 1/2."""
    b_enc = torch.full((W_enc.shape[1],), -0.5)
    return Dictionary(W_enc, b_enc, W_enc.T, torch.zeros(980), L1(), SITE, "reading", torch.tensor(1.0))


def test_a_dictionary_of_the_items_tells_every_item_with_a_feature_of_its_own(report: TruthReport) -> None:
    assert len(report.items.truth) > 20
    assert (report.items.coverage, report.items.uniqueness) == (1.0, 1.0)
    torch.testing.assert_close(report.items.auroc, torch.ones_like(report.items.auroc))
    assert float(report.items.control.mean()) < 0.6


def test_a_dictionary_of_random_directions_tells_few(rows: Activations, trajectories: Trajectories) -> None:
    W_enc = torch.randn(980, 40, generator=torch.Generator().manual_seed(0)) / 12
    found = truth_report(_reading(W_enc), rows, trajectories, CONFIG)
    assert found.items.coverage < 0.3
    assert found.subspace is None


def test_what_holds_in_the_frame_is_told_by_the_items_and_what_does_not_is_not(report: TruthReport) -> None:
    facts = dict(zip(report.facts.truth, report.facts.f1.tolist(), strict=True))
    assert not any(name.startswith("time") for name in facts)
    assert max(facts.values()) > 0.9


def test_features_hang_together_as_the_items_do_and_shuffled_ones_do_not(report: TruthReport) -> None:
    structure = report.structure
    assert structure["features"].mean_absolute > structure["shuffled features"].mean_absolute
    assert structure["features"].dimension < structure["shuffled features"].dimension


def test_directions_of_items_lie_inside_the_identifiable_subspace(items: Float32[Tensor, "frame item"]) -> None:
    W_obs = torch.randn(980, 400, generator=torch.Generator().manual_seed(0))
    rate = items.mean(dim=0)
    directions = item_directions(W_obs, rate)
    truth = directions[identifiable(directions, rate=rate)]
    drawn = torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))

    inside, outside = (subspace(_writing(W_dec), W_obs, rate) for W_dec in (truth, drawn))

    assert inside.rank <= inside.n_identifiable == len(truth)
    assert inside.inside == pytest.approx(1, abs=1e-4)
    assert outside.inside == pytest.approx(outside.chance, abs=0.02)
    assert outside.chance == outside.rank / 400


def _writing(W_dec: Tensor) -> Dictionary:
    width, d_model = W_dec.shape
    b_enc, b_dec = torch.zeros(width), torch.zeros(d_model)
    return Dictionary(W_dec.T, b_enc, W_dec, b_dec, L1(), SITE, "writing", torch.tensor(1.0))


def test_a_report_comes_back_from_disk_as_it_was(report: TruthReport, tmp_path: Path) -> None:
    study = TruthStudy(report, summary_of(replace(report, name="control", subspace=None)))
    save(tmp_path / "truth", study, seed=0)
    back = load(tmp_path / "truth", TRUTH)
    assert back.untrained == study.untrained
    found = back.report
    for side in ("items", "facts"):
        was, now = getattr(report, side), getattr(found, side)
        assert was.truth == now.truth
        assert torch.equal(was.f1, now.f1)
        assert torch.equal(was.control, now.control)
    assert replace(found, items=report.items, facts=report.facts) == report


def test_a_report_without_a_control_comes_back_without_one(report: TruthReport, tmp_path: Path) -> None:
    save(tmp_path / "truth", TruthStudy(report, None), seed=0)
    assert load(tmp_path / "truth", TRUTH).untrained is None


def test_the_summary_has_the_means_of_the_report(report: TruthReport) -> None:
    found = summary_of(report)
    assert found.items.n == len(report.items.truth)
    assert found.items.mean_f1 == pytest.approx(sum(report.items.f1.tolist()) / found.items.n)
    assert found.facts.mean_f1_shuffled == pytest.approx(sum(report.facts.control.tolist()) / found.facts.n)
    assert found.correlation["items"]["dimension"] == report.structure["items"].dimension
    assert found.subspace == report.subspace


def test_rows_of_another_site_are_refused(rows: Activations, trajectories: Trajectories) -> None:
    with pytest.raises(UserError, match="harvest rows at the dictionary's site"):
        truth_report(_reading(torch.eye(980)), replace(rows, site="elsewhere"), trajectories, CONFIG)


def test_a_fact_that_no_word_stands_for_is_refused_in_a_sentence(rows: Activations, trajectories: Trajectories) -> None:
    facts = trajectories.fact_table.clone()
    facts[0, trajectories.fact_names.index("carrying")] = 5
    with pytest.raises(UserError, match="the fact 'carrying' is 5 somewhere in the demonstrations, expected 0 to 3"):
        truth_report(_reading(torch.eye(980)), rows, replace(trajectories, fact_table=facts), CONFIG)
