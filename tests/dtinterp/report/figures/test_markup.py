import plotly.graph_objects as go

from dtinterp.report.figures.markup import figure_html, plotly_script
from dtinterp.report.html import Html


def test_a_figure_brings_its_data_and_not_the_library() -> None:
    markup = figure_html(go.Figure(go.Scatter(y=[1, 2])), name="dose", alt='a "curve"')
    assert isinstance(markup, Html)
    assert len(markup) < 100_000
    assert 'id="figure-dose"' in markup
    assert 'aria-label="a &quot;curve&quot;"' in markup


def test_the_same_figure_is_the_same_markup() -> None:
    figure = go.Figure(go.Scatter(y=[1, 2]))
    assert figure_html(figure, name="a", alt="b") == figure_html(figure, name="a", alt="b")


def test_a_narrow_figure_says_so() -> None:
    assert 'class="plot narrow"' in figure_html(go.Figure(), name="a", alt="b", narrow=True)


def test_the_library_comes_whole_and_from_this_machine() -> None:
    script = plotly_script()
    assert script.startswith("<script>")
    assert "src=" not in script[:100]
    assert len(script) > 1_000_000
