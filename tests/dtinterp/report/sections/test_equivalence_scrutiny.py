from dataclasses import replace

from tests.dtinterp.report.conftest import planted, section_of


def test_counterexamples_bounds_and_reach_are_told(results):
    block = section_of("equivalence", results)
    for word in ("Counterexamples: ", "Stability: ", "Reachable: ", "How far the certificates reach"):
        assert word in block


def test_a_report_from_before_says_nothing(results):
    assert "How far the certificates reach" not in section_of(
        "equivalence", planted(results, replace(results.equivalence.value, scrutiny=None))
    )


def test_without_bounds_there_is_no_bound_and_no_table(results):
    report = results.equivalence.value
    bare = replace(report.scrutiny, bounds=(), arms=(), stability=None, reachable=None)
    block = section_of("equivalence", planted(results, replace(report, scrutiny=bare)))
    assert "Bound: " not in block
    assert "norm-matched" not in block
    assert "Counterexamples: " in block


def test_rounds_that_were_used_up_are_told(results):
    report, told = results.equivalence.value, "The rounds were used up while the last one still found some"
    assert told not in section_of("equivalence", results)
    last = replace(report.scrutiny.rounds[0], n_counterexamples=1)
    used_up = replace(report.scrutiny, rounds=(last,) * report.config.n_rounds)
    assert told in section_of("equivalence", planted(results, replace(report, scrutiny=used_up)))


def test_of_plays_the_block_says_which_classes_are_exact(results):
    report = results.equivalence.value
    bounds = tuple(replace(bound, is_exact=True) for bound in report.scrutiny.bounds)
    enumerated = replace(
        report,
        config=replace(report.config, contexts="plays", horizon=3),
        scrutiny=replace(report.scrutiny, bounds=bounds),
    )
    block = section_of("equivalence", planted(results, enumerated))
    assert "It is exact, since all contexts of plays of up to 3 steps of their observations were tried." in block


def test_of_all_some_and_no_class_the_sentence_on_exactness_is_true(results):
    report = results.equivalence.value
    bound = report.scrutiny.bounds[0]

    def said(*exact: bool) -> str:
        bounds = tuple(replace(bound, is_exact=each) for each in exact)
        scrutiny = replace(report.scrutiny, bounds=bounds)
        block = section_of("equivalence", planted(results, replace(report, scrutiny=scrutiny)))
        return block.partition("in the table of certificates. ")[2].partition("</li>")[0]

    assert said(True, True) == "It is exact, since all held-out contexts of their observations were tried."
    assert said(True, False) == (
        "It is exact for the 1 that were tried in all held-out contexts of their observations, and a Clopper–Pearson "
        "bound at 95% for the other 1."
    )
    assert said(False, False) == (
        "It is exact for none, since none was tried in all held-out contexts of its observations: it is a "
        "Clopper–Pearson bound at 95%."
    )
