from dataclasses import replace

from dtinterp.report.results import Sourced
from dtinterp.report.sections.scrutiny import scrutiny_block


def _with(results, report):
    return replace(results, equivalence=Sourced(report, results.equivalence.artefact))


def test_counterexamples_bounds_and_reach_are_told(results):
    block = scrutiny_block(results)
    for word in ("Counterexamples: ", "Stability: ", "Reachable: ", "How far the certificates reach"):
        assert word in block


def test_a_report_from_before_says_nothing(results):
    assert scrutiny_block(_with(results, replace(results.equivalence.value, scrutiny=None))) == ""


def test_without_bounds_there_is_no_bound_and_no_table(results):
    report = results.equivalence.value
    bare = replace(report.scrutiny, bounds=(), arms=(), stability=None, reachable=None)
    block = scrutiny_block(_with(results, replace(report, scrutiny=bare)))
    assert "Bound: " not in block
    assert "norm-matched" not in block
    assert "Counterexamples: " in block


def test_rounds_that_were_used_up_are_told(results):
    report, told = results.equivalence.value, "The rounds were used up while the last one still found some"
    assert told not in scrutiny_block(results)
    last = replace(report.scrutiny.rounds[0], n_counterexamples=1)
    used_up = replace(report.scrutiny, rounds=(last,) * report.config.n_rounds)
    assert told in scrutiny_block(_with(results, replace(report, scrutiny=used_up)))


def test_of_plays_the_block_says_which_classes_are_exact(results):
    report = results.equivalence.value
    bounds = tuple(replace(bound, is_exact=True) for bound in report.scrutiny.bounds)
    enumerated = replace(
        report,
        config=replace(report.config, contexts="plays", horizon=3),
        scrutiny=replace(report.scrutiny, bounds=bounds),
    )
    block = scrutiny_block(_with(results, enumerated))
    assert "exact, since all contexts of plays of up to 3 steps" in block
