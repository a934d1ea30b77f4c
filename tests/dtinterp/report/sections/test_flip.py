from dataclasses import replace

from dtinterp.interventions.dose import DoseCurves
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.report.results import StudyResults
from tests.dtinterp.report.conftest import only, planted, section_of


def test_the_count_of_turned_configurations_comes_first_and_beside_it_the_control(results: StudyResults) -> None:
    dose = only(results, InterventionReport).dose
    section = section_of("flip", results)
    lead = section[section.index('class="lead"') :].split("</p>")[0]
    assert f"{dose.n_turned} of 4 configurations" in lead
    assert "3 random directions, moved exactly as far" in lead
    assert f"(p = {dose.p_value:.3g})" in lead


def test_everything_that_refutes_the_claim_is_listed(results: StudyResults) -> None:
    report = only(results, InterventionReport)
    section = section_of("flip", results)
    assert report.refutations
    assert section.count("<li>") == len(report.refutations)


def test_decoys_are_shown_for_every_configuration(results: StudyResults) -> None:
    section = section_of("flip", results)
    assert ">(0,5)</td>" in section
    for configuration in only(results, InterventionReport).configurations:
        assert configuration in section


def test_without_decoys_there_is_no_table_of_them(results: StudyResults) -> None:
    report = only(results, InterventionReport)
    specification = report.specification.model_copy(update={"decoys": ()})
    bare = planted(results, replace(report, specification=specification))
    assert "Decoys" not in section_of("flip", bare)


def _perfect(dose: DoseCurves) -> DoseCurves:
    """Plant a direction that turns every configuration, and random ones that turn none."""
    untouched = dose.original[:, None].expand_as(dose.instruction)
    return replace(dose, instruction=-untouched, controls=untouched.expand(40, -1, -1))


def test_a_claim_that_nothing_refutes_is_said_to_stand(results: StudyResults) -> None:
    tried = only(results, InterventionReport)
    dose = _perfect(tried.dose)
    report = replace(tried, dose=dose, flipped=-dose.original, closed_loop=())
    assert report.refutations == ()
    section = section_of("flip", planted(results, report))
    assert "What would have refuted the claim was looked for and not found." in section
