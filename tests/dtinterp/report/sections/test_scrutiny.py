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
