from dataclasses import replace
from pathlib import Path

from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.foundation.artefacts.codec import load
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.report.results import StudyResults
from dtinterp.report.words import count
from tests.dtinterp.report.conftest import head_of, only, planted


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


def test_the_abstract_says_what_holds_jointly_and_after_random_actions(results: StudyResults) -> None:
    shipped = load(Path("checkpoints/studies/memory-dt/equivalence"), EQUIVALENCE)
    assert "at once" not in head_of(results)
    said = head_of(planted(results, replace(results.equivalence.value, joint=shipped.joint)))
    assert "shown as a member of its class at once" in said
    assert f"of {count(2048)} histories that no class was chosen by moved a decision further" in said
    wandered = head_of(planted(results, replace(results.equivalence.value, wandering=shipped.wandering)))
    assert "of 0.631 on any members" in wandered
