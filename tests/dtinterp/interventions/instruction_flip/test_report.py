from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from dtinterp.foundation.artefacts.artefact import Artefact, Content, write_artefact
from dtinterp.foundation.artefacts.codec import load, save
from dtinterp.interventions.instruction_flip.experiment import run_experiment
from dtinterp.interventions.instruction_flip.report import INTERVENTION, InterventionReport
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.model.network.transformer import DecisionTransformer


@pytest.fixture
def model_artefact(tmp_path: Path) -> Artefact:
    content = Content(kind="model", config={}, tensors={"W": torch.zeros(1)}, metrics={})
    return write_artefact(tmp_path / "model", content, parents=[], seed=0)


def test_a_report_is_read_back_as_it_was_written(
    planted_report: InterventionReport, model_artefact: Artefact, tmp_path: Path
) -> None:
    save(tmp_path / "report", planted_report, seed=0, parents=[model_artefact])
    found = load(tmp_path / "report", INTERVENTION, parent=model_artefact)
    assert found.specification == planted_report.specification
    assert found.configurations == planted_report.configurations
    assert found.closed_loop == planted_report.closed_loop
    assert found.direction.explained == planted_report.direction.explained
    for name in ("flipped", "decoys", "decoy_projection"):
        assert torch.equal(getattr(found, name), getattr(planted_report, name))
    for part in ("direction", "dose"):
        written, read = asdict(getattr(planted_report, part)), asdict(getattr(found, part))
        assert written.keys() == read.keys()
        assert all(torch.equal(torch.as_tensor(written[name]), torch.as_tensor(read[name])) for name in written)


def test_a_decoy_in_the_instruction_s_place_restores_all_of_it(
    planted_model: DecisionTransformer, specify: Callable[..., Specification]
) -> None:
    small = {"samplers": ["greedy"], "n_episodes": 1, "n_draws": 1}
    report = run_experiment(specify(decoys=[[[2, 6]]], n_draws=1, closed_loop=small), planted_model)
    torch.testing.assert_close(report.restored, torch.ones(1, 4))


def test_the_planted_model_is_half_persuaded_by_one_decoy_and_wholly_by_two(
    planted_report: InterventionReport,
) -> None:
    """One decoy cancels the planted instruction, two outweigh it."""
    torch.testing.assert_close(planted_report.restored, torch.tensor([[0.5] * 4, [1.0] * 4]), atol=0.01, rtol=0)
    projection = planted_report.decoy_projection
    torch.testing.assert_close(projection[0], torch.zeros(4), atol=0.05, rtol=0)
    torch.testing.assert_close(projection[1], -planted_report.dose.projection, atol=0.05, rtol=0)


def test_where_flipping_changes_nothing_no_fraction_is_restored(planted_report: InterventionReport) -> None:
    unmoved = replace(planted_report, flipped=planted_report.dose.original)
    assert not unmoved.restored.isfinite().any()


def test_a_report_without_decoys_has_nothing_restored(planted_report: InterventionReport) -> None:
    bare = replace(planted_report, decoys=torch.empty(0, 4), decoy_projection=torch.empty(0, 4))
    assert bare.restored.shape == (0, 4)
