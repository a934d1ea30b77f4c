from dataclasses import replace

from dtinterp.interventions.dose import DoseCurves
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.report.results import Sourced, StudyResults
from dtinterp.report.sections.flip import flip_section


def _flip(results: StudyResults) -> Sourced[InterventionReport]:
    assert results.intervention is not None
    return results.intervention


def test_the_count_of_turned_configurations_comes_first_and_beside_it_the_control(results: StudyResults) -> None:
    dose = _flip(results).value.dose
    section = flip_section(results)
    lead = section[section.index('class="lead"') :].split("</p>")[0]
    assert f"{dose.n_turned} of 4 configurations" in lead
    assert "3 random directions, moved exactly as far" in lead
    assert f"(p = {dose.p_value:.3g})" in lead


def test_everything_that_refutes_the_claim_is_listed(results: StudyResults) -> None:
    report = _flip(results).value
    section = flip_section(results)
    assert report.refutations
    assert section.count("<li>") == len(report.refutations)


def test_decoys_are_shown_for_every_configuration(results: StudyResults) -> None:
    section = flip_section(results)
    assert ">(0,5)</td>" in section
    for configuration in _flip(results).value.configurations:
        assert configuration in section


def test_without_decoys_there_is_no_table_of_them(results: StudyResults) -> None:
    sourced = _flip(results)
    specification = sourced.value.specification.model_copy(update={"decoys": ()})
    bare = replace(results, intervention=Sourced(replace(sourced.value, specification=specification), sourced.artefact))
    assert "Decoys" not in flip_section(bare)


def _perfect(dose: DoseCurves) -> DoseCurves:
    """Plant a direction that turns every configuration, and random ones that turn none."""
    untouched = dose.original[:, None].expand_as(dose.instruction)
    return replace(dose, instruction=-untouched, controls=untouched.expand(40, -1, -1))


def test_a_claim_that_nothing_refutes_is_said_to_stand(results: StudyResults) -> None:
    sourced = _flip(results)
    dose = _perfect(sourced.value.dose)
    report = replace(sourced.value, dose=dose, flipped=-dose.original, closed_loop=())
    assert report.refutations == ()
    section = flip_section(replace(results, intervention=Sourced(report, sourced.artefact)))
    assert "What would have refuted the claim was looked for and not found." in section
