import pytest

from dtinterp.report.figures.dictionaries import dictionary_figure
from dtinterp.report.results import ScoredDictionary, StudyResults
from dtinterp.report.tables import dictionary_table


def test_each_dictionary_is_a_point_at_its_l0_and_fvu(results: StudyResults) -> None:
    scored = [each.value for each in results.of(ScoredDictionary)]
    figure = dictionary_figure(dictionary_table(scored))
    points = [trace for trace in figure.data if trace.type == "scatter" and trace.xaxis == "x"]
    assert [(trace.x[0], trace.y[0]) for trace in points] == [
        (pytest.approx(each.score.l0.estimate), pytest.approx(each.score.fvu.estimate)) for each in scored
    ]


def test_a_dictionary_wider_than_its_inputs_is_open(results: StudyResults) -> None:
    scored = [each.value for each in results.of(ScoredDictionary)]
    figure = dictionary_figure(dictionary_table(scored))
    is_open = [trace.marker.symbol.endswith("-open") for trace in figure.data if trace.xaxis == "x"]
    assert is_open == [each.score.width_exceeds_inputs for each in scored] == [False, True]


def test_kinds_differ_in_colour_and_appear_once_in_the_legend(results: StudyResults) -> None:
    scored = [each.value for each in results.of(ScoredDictionary)]
    figure = dictionary_figure(dictionary_table([*scored, *scored]))
    assert len({trace.marker.color for trace in figure.data}) == 2
    assert sum(bool(trace.showlegend) for trace in figure.data) == 2
