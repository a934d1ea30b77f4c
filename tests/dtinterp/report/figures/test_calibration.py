import plotly.graph_objects as go
import pytest

from dtinterp.foundation.statistics import Interval
from dtinterp.report.figures.calibration import calibration_figure, error_bars, hatched
from dtinterp.report.results import StudyResults


@pytest.fixture(scope="module")
def figure(results: StudyResults) -> go.Figure:
    return calibration_figure(results.calibration)


def test_the_curve_goes_through_the_returns_achieved(results: StudyResults, figure: go.Figure) -> None:
    points = results.calibration["greedy"]
    curve = next(trace for trace in figure.data if trace.name == "greedy")
    assert list(curve.x) == [point.target_return for point in points]
    assert list(curve.y) == [point.evaluation.mean_return.estimate for point in points]


def test_the_diagonal_is_where_what_was_asked_is_achieved(figure: go.Figure) -> None:
    diagonal = next(trace for trace in figure.data if trace.name == "as asked")
    assert list(diagonal.x) == list(diagonal.y) == [0.0, 0.892]


def test_endings_stack_to_one(figure: go.Figure) -> None:
    bars = [trace for trace in figure.data if trace.type == "bar"]
    assert [bar.name for bar in bars] == ["matching target", "wrong target", "out of time"]
    for shares in zip(*(bar.y for bar in bars), strict=True):
        assert sum(shares) == pytest.approx(1)


def test_every_sampler_has_a_panel_and_the_endings_one_legend(results: StudyResults) -> None:
    points = results.calibration["greedy"]
    two = calibration_figure({"greedy": points, "temperature=1": points})
    bars = [trace for trace in two.data if trace.type == "bar"]
    assert len(bars) == 6
    assert sum(bool(bar.showlegend) for bar in bars) == 3


def test_error_bars_reach_from_low_to_high() -> None:
    bars = error_bars([Interval(0.5, 0.4, 0.8, 10)])
    assert bars["array"] == pytest.approx([0.3])
    assert bars["arrayminus"] == pytest.approx([0.1])


def test_hatching_lies_over_the_colour() -> None:
    assert hatched("/")["fillmode"] == "overlay"
