from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.report.results import StudyResults
from tests.dtinterp.report.conftest import head_of, only


def test_every_number_of_the_abstract_leads_to_an_artefact(results: StudyResults) -> None:
    abstract = head_of(results)
    for artefact in (results.demonstrations.artefact, results.model.artefact, results.equivalence.artefact):
        assert f'href="#artefact-{artefact.manifest.digest[:10]}"' in abstract


def test_the_abstract_counts_observations_swaps_and_classes(results: StudyResults) -> None:
    report = results.equivalence.value
    abstract = head_of(results)
    assert ">12 most visited observations</a>" in abstract
    assert f">{report.n_swaps} swaps</a>" in abstract
    assert f">{report.partition.n_classes} class" in abstract


def test_what_speaks_against_the_flip_is_told(results: StudyResults) -> None:
    refutations = only(results, InterventionReport).refutations
    assert refutations
    assert "Against the claim" in head_of(results)
