from dataclasses import replace

import pytest
import torch

from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.statistics import Interval
from dtinterp.interventions.experiment.result import ArmChanges, Claim, ExperimentResult
from dtinterp.report.results import Result, StudyResults
from tests.dtinterp.report.conftest import section_of

FOUND = ExperimentResult(
    experiment={"question": "Does it turn <the> agent?"},
    model="novice",
    measures=("decision flipped",),
    windows=("a", "b"),
    doses=(0.0, 1.0),
    arms=(
        ArmChanges("edit", "the edit", torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])),
        ArmChanges("matched features", "feature 3", torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])),
    ),
    loops=(),
    side_effects={},
    explains={},
    claims=(Claim("decision flipped", Interval(1.0, 0.3, 1.0, 2), 0.5, (), 1, 0.5, 0.5),),
    refuted_by=("decision flipped: p = 0.500 by Holm's method, above 0.05.",),
    missing=(),
)


@pytest.fixture
def with_experiment(results: StudyResults) -> StudyResults:
    artefact: Artefact = results.model.artefact
    return replace(results, opened=[*results.opened, Result(FOUND, artefact)])


def test_each_experiment_has_its_question_verdict_claims_and_figures(with_experiment: StudyResults) -> None:
    section = section_of("experiments", with_experiment)
    assert "<h3>Does it turn &lt;the&gt; agent?</h3>" in section
    assert "No control reaches every effect, but none is significant after Holm&#39;s correction." in section
    assert "0 of 1" in section
    assert section.count("<li>") == 1
    assert "experiment-1-1" in section


def test_a_study_without_experiments_has_no_such_section(results: StudyResults) -> None:
    assert section_of("experiments", results) == ""
