from dtinterp.report.results import StudyResults
from dtinterp.report.sections.opening import opening


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
