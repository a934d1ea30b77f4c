from dataclasses import asdict, replace

from dtinterp.foundation.statistics import Interval
from dtinterp.report.results import StudyResults
from tests.dtinterp.report.conftest import section_of, with_manifest


def test_the_shape_is_that_of_the_model(results: StudyResults) -> None:
    assert "1 layer of 2 heads, 16 wide" in section_of("model", results)
    assert "10 time steps as 29 tokens" in section_of("model", results)


def test_where_the_model_goes_instead_is_said(results: StudyResults) -> None:
    low = results.calibration["greedy"][0].evaluation
    expected = "the wrong target" if low.failure.estimate > low.timeout.estimate else "out of time"
    assert f"mostly ends {'at ' if expected.startswith('the') else ''}{expected}" in section_of("model", results)


def test_what_the_figures_rest_on_is_said_by_sampler_where_it_differs(results: StudyResults) -> None:
    assert "end. 8 episodes a point, the same starts for all; 95% intervals" in section_of("model", results)
    played = results.calibration["greedy"][0]
    exact = replace(played, evaluation=replace(played.evaluation, success=Interval(1.0, 1.0, 1.0, n=0)))
    for calibration, said in (
        ({"greedy": [exact]}, "end. Computed over all starts."),
        (
            {"greedy": [exact], "temperature=1": [played]},
            "end. Greedy: computed over all starts; temperature=1: 8 episodes a point, the same starts for all; 95%",
        ),
    ):
        metrics = {"calibration": {name: [asdict(point) for point in points] for name, points in calibration.items()}}
        assert said in section_of("model", with_manifest(results, "model", metrics=metrics))


def test_a_model_without_calibration_is_said_to_have_none(results: StudyResults) -> None:
    section = section_of("model", with_manifest(results, "model", metrics={}))
    assert "never calibrated" in section
    assert "figure-calibration" not in section
