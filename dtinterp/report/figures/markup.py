"""A plotly figure becomes a piece of a page that loads plotly.js once."""

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from dtinterp.report.html import Html, element
from dtinterp.report.style import CONFIG


def figure_html(figure: go.Figure, *, name: str, alt: str, narrow: bool = False) -> Html:
    """Return the figure as a `div` of id `figure-name` and the script that draws it.

    plotly.js must stand before it, see `plotly_script`. `alt` describes the figure to those who cannot see it; a
    `narrow` one takes the width of the text.
    """
    drawn = figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG, div_id=f"figure-{name}")
    return element("div", Html(drawn), class_="plot narrow" if narrow else "plot", role="img", aria_label=alt)


def plotly_script() -> Html:
    """Return plotly.js itself, for the page's head."""
    return Html(f"<script>{get_plotlyjs()}</script>")
