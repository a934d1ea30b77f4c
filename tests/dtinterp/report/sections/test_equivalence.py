from dataclasses import replace

from dtinterp.equivalence.behaviour.abstraction_error import AbstractionOutcome
from dtinterp.equivalence.truth.agreement import Agreement, WorldComparison
from dtinterp.foundation.statistics import Interval
from dtinterp.report.results import StudyResults
from tests.dtinterp.report.conftest import planted, section_of


def _agreement(low: float, estimate: float, high: float) -> Agreement:
    chance = Interval(0.0, -0.05, 0.05, 20)
    return Agreement(3, 4, Interval(estimate, low, high, 12), estimate, chance, 0.05)


def test_the_finding_comes_before_every_figure(results: StudyResults) -> None:
    section = section_of("equivalence", results)
    assert section.index('class="lead"') < section.index('class="verdicts"') < section.index("<figure")


def test_a_claim_that_holds_and_one_that_does_not_are_told_apart(results: StudyResults) -> None:
    strong, weak = _agreement(0.6, 0.7, 0.8), _agreement(0.0, 0.02, 0.1)
    comparisons = (WorldComparison("good", strong, weak, weak), WorldComparison("bad", weak, weak, strong))
    report = replace(results.equivalence.value, comparisons=comparisons)
    section = section_of("equivalence", planted(results, report))
    assert "The model follows “good”</strong>: ARI" in section
    reasons = "(no better than random classes and no better than an untrained model)"
    assert f"The model is not shown to follow “bad”</strong> {reasons}" in section


def test_every_observation_is_pictured(results: StudyResults) -> None:
    section = section_of("equivalence", results)
    for frame in results.equivalence.value.chosen.frame_id.tolist():
        assert f"<frame {frame}>" in section


def test_classes_that_were_set_are_said_and_those_that_were_not_are_not(results: StudyResults) -> None:
    title = "The classes as a causal abstraction"
    assert title not in section_of("equivalence", results)
    none = Interval(0.0, 0.0, 0.1, 40)
    outcome = AbstractionOutcome("interchangeable", 3, "one slot", "drawn members", 40, none, none, none, 0.5)
    section = section_of("equivalence", planted(results, replace(results.equivalence.value, abstraction=(outcome,))))
    assert "drawn members" in section.split(title)[1].split("</table>")[0]
