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


def test_each_sampler_says_what_its_figures_rest_on(results: StudyResults) -> None:
    assert "greedy: 8 episodes a point, the same starts for all, 95% intervals" in model_section(results)
    artefact, point = results.model.artefact, results.calibration["greedy"][0]
    exact = replace(point, evaluation=replace(point.evaluation, success=Interval(1.0, 1.0, 1.0, n=0)))
    metrics = {"calibration": {"greedy": [asdict(exact)]}}
    computed = replace(artefact, manifest=replace(artefact.manifest, metrics=metrics))
    section = model_section(replace(results, model=Sourced(results.model.value, computed)))
    assert "greedy: computed over all starts, nothing sampled." in section


def test_a_model_without_calibration_is_said_to_have_none(results: StudyResults) -> None:
    artefact = results.model.artefact
    bare = replace(artefact, manifest=replace(artefact.manifest, metrics={}))
    section = model_section(replace(results, model=Sourced(results.model.value, bare)))
    assert "never calibrated" in section
    assert "figure-calibration" not in section
