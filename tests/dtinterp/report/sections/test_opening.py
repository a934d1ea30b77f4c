from dataclasses import replace

from dtinterp.foundation.statistics import Interval
from dtinterp.model.calibration import CalibrationPoint
from dtinterp.report.results import StudyResults
from dtinterp.report.sections.opening import extremes, opening


def _point(results: StudyResults, target: float, share: float, achieved: float) -> CalibrationPoint:
    evaluation = results.calibration["greedy"][0].evaluation
    success, mean_return = Interval(share, 0.0, 1.0, 8), Interval(achieved, 0.0, 1.0, 8)
    return CalibrationPoint(target, replace(evaluation, success=success, mean_return=mean_return))


def test_extremes_are_the_lowest_return_and_the_most_success(results: StudyResults) -> None:
    shares = {0.5: 0.4, 0.9: 0.95, 0.0: 0.1, 0.95: 0.9}
    low, high = extremes([_point(results, target, share, 0.5) for target, share in shares.items()])
    assert (low.target_return, high.target_return) == (0.0, 0.9)


def test_of_equal_success_the_best_return_is_told_for_the_least_asked(results: StudyResults) -> None:
    achieved = {0.5: 0.5, 0.892: 0.892, 0.95: 0.892, 0.0: 0.0}
    low, high = extremes([_point(results, target, 1.0, paid) for target, paid in achieved.items()])
    assert (low.target_return, high.target_return) == (0.0, 0.892)


def test_every_number_of_the_abstract_leads_to_an_artefact(results: StudyResults) -> None:
    abstract = opening(results)
    for artefact in (results.demonstrations.artefact, results.model.artefact, results.equivalence.artefact):
        assert f'href="#artefact-{artefact.manifest.digest[:10]}"' in abstract


def test_the_abstract_counts_observations_swaps_and_classes(results: StudyResults) -> None:
    report = results.equivalence.value
    abstract = opening(results)
    assert ">12 most visited observations</a>" in abstract
    assert f">{report.n_swaps} swaps</a>" in abstract
    assert f">{report.partition.n_classes} class" in abstract


def test_what_speaks_against_the_flip_is_told(results: StudyResults) -> None:
    assert results.intervention is not None
    refutations = results.intervention.value.refutations
    assert refutations
    assert "Against the claim" in opening(results)
