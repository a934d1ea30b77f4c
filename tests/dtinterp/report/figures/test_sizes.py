import plotly.graph_objects as go
import pytest

from dtinterp.foundation.jobs.pool import Failed
from dtinterp.foundation.statistics import wilson
from dtinterp.model.training.sizes import Scores, Tried, sizes_of
from dtinterp.model.training.sweep import SweepTrial
from dtinterp.report.figures.sizes import sizes_figure

TRIED = [
    Tried(
        SweepTrial(width, layers, seed),
        Scores(1000 * width * layers, 2.0 - 0.1 * layers + 0.01 * seed, 0.5, wilson(width - seed, 100), 1.0),
    )
    for width in (32, 64)
    for layers in (1, 2)
    for seed in (0, 1, 2)
] + [Tried(SweepTrial(100, 1, 0), Failed("impossible"))]


@pytest.fixture(scope="module")
def figure() -> go.Figure:
    return sizes_figure(sizes_of(TRIED), TRIED)


def test_a_line_for_each_number_of_layers_goes_through_the_means_over_seeds(figure: go.Figure) -> None:
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [line.name for line in lines] == ["1 layer", "2 layers"] * 2
    assert list(lines[0].x) == [32_000, 64_000]
    assert list(lines[0].y) == pytest.approx([1.91, 1.91])
    assert list(lines[3].y) == pytest.approx([0.31, 0.63])


def test_the_bars_are_the_intervals_over_seeds(figure: go.Figure) -> None:
    (first, *_), (line, *_) = sizes_of(TRIED), figure.data
    assert line.error_y.array[0] == pytest.approx(first.loss.high - first.loss.estimate)
    assert line.error_y.arrayminus[0] == pytest.approx(first.loss.estimate - first.loss.low)


def test_every_seed_that_was_trained_is_a_dot_and_what_failed_is_not(figure: go.Figure) -> None:
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert [len(trace.x) for trace in dots] == [6, 6, 6, 6]
    assert sorted(dots[2].y) == pytest.approx([0.30, 0.31, 0.32, 0.62, 0.63, 0.64])
    assert "width 64, 2 layers, seed 2" in dots[3].customdata


def test_the_legend_names_each_number_of_layers_once(figure: go.Figure) -> None:
    assert [trace.name for trace in figure.data if trace.showlegend] == ["1 layer", "2 layers"]
