from dataclasses import asdict, replace

from dtinterp.foundation.statistics import Interval
from dtinterp.report.results import Sourced, StudyResults
from dtinterp.report.sections.model import model_section


def test_the_shape_is_that_of_the_model(results: StudyResults) -> None:
    assert "1 layer of 2 heads, 16 wide" in model_section(results)
    assert "10 time steps as 29 tokens" in model_section(results)


def test_where_the_model_goes_instead_is_said(results: StudyResults) -> None:
    low = results.calibration["greedy"][0].evaluation
    expected = "the wrong target" if low.failure.estimate > low.timeout.estimate else "out of time"
    assert f"mostly ends {'at ' if expected.startswith('the') else ''}{expected}" in model_section(results)


def test_what_the_figures_rest_on_is_said_by_sampler_where_it_differs(results: StudyResults) -> None:
    assert "end. 8 episodes a point, the same starts for all; 95% intervals" in model_section(results)
    artefact, played = results.model.artefact, results.calibration["greedy"][0]
    exact = replace(played, evaluation=replace(played.evaluation, success=Interval(1.0, 1.0, 1.0, n=0)))
    for calibration, said in (
        ({"greedy": [exact]}, "end. Computed over all starts."),
        (
            {"greedy": [exact], "temperature=1": [played]},
            "end. Greedy: computed over all starts; temperature=1: 8 episodes a point, the same starts for all; 95%",
        ),
    ):
        metrics = {"calibration": {name: [asdict(point) for point in points] for name, points in calibration.items()}}
        computed = replace(artefact, manifest=replace(artefact.manifest, metrics=metrics))
        assert said in model_section(replace(results, model=Sourced(results.model.value, computed)))


def test_a_model_without_calibration_is_said_to_have_none(results: StudyResults) -> None:
    artefact = results.model.artefact
    bare = replace(artefact, manifest=replace(artefact.manifest, metrics={}))
    section = model_section(replace(results, model=Sourced(results.model.value, bare)))
    assert "never calibrated" in section
    assert "figure-calibration" not in section
