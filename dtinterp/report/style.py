"""One palette and one plot style for every figure, readable without colour vision and in print."""

import colorsys
from typing import TypeAlias

import plotly.graph_objects as go

from dtinterp.equivalence.partition import Partition

INK = "#1c2430"
MUTED = "#5b6675"
RULE = "#d9dee5"
PAPER = "#ffffff"

TRAINED = "#1f6f8b"
"""the trained model, and whatever the study claims"""
CONTROL = "#8a94a3"
"""what a claim is held against"""
CONTROL_2 = "#b5bcc7"
"""a second control beside the first"""

SUCCESS = "#1f6f8b"
WRONG = "#d1702b"
TIMEOUT = "#cfd5dd"
KEY = "#c4610a"
BALL = "#2b5fb4"

CATEGORICAL = ("#1f6f8b", "#d1702b", "#7a5195", "#3f8f4f", "#b8860b", "#5b6675")
"""hues of Okabe and Ito's kind with falling lightness, so that grey print keeps them apart"""
SYMBOLS = ("circle", "diamond", "square", "cross", "triangle-up", "x")
DASHES = ("solid", "dash", "dot", "dashdot")

Scale: TypeAlias = list[list[float | str]]

DIVERGENCE_SCALE: Scale = [
    [0.0, "#ffffff"],
    [0.1, "#e4eff2"],
    [0.3, "#a9cdd8"],
    [0.6, "#4a93ab"],
    [0.85, "#1b5a73"],
    [1.0, "#0d2c3d"],
]
"""From nothing to everything: lightness falls steadily."""

GOLDEN = 0.618034
"""Steps of this share of the circle never come back to where they were, and keep apart (the golden ratio, less one)."""
LIGHTNESS = (0.36, 0.5, 0.62)
SATURATION = 0.6

SANS = "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
FONT_SIZE = 13

CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d", "sendChartToCloud"],
    "toImageButtonOptions": {"format": "svg"},
}
"""What plotly.js is told: no logo, no cloud, resize with the page, save as SVG."""


def styled(figure: go.Figure, *, height: int, **layout: object) -> go.Figure:
    """Give the figure the common style and its height in pixels; more layout settings may follow."""
    figure.update_layout({"template": TEMPLATE, "height": height, **layout})
    return figure


def class_colours(partition: Partition) -> tuple[str, ...]:
    """Return a colour for each class, as `#rrggbb`: grey where it holds one frame only.

    The hue is that of the class's first frame, so classes that merge keep the colour of the one that comes first. Hues
    of neighbours may look alike: say the class in words, too.
    """
    sizes = partition.sizes.tolist()
    return tuple(
        CONTROL_2 if size == 1 else _colour(int(partition.members(label)[0])) for label, size in enumerate(sizes)
    )


def _colour(place: int) -> str:
    channels = colorsys.hls_to_rgb(place * GOLDEN % 1, LIGHTNESS[place % len(LIGHTNESS)], SATURATION)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


def _axis() -> dict[str, object]:
    return {
        "gridcolor": "#edf0f3",
        "linecolor": "#9aa5b1",
        "showline": True,
        "ticks": "outside",
        "tickcolor": "#9aa5b1",
        "ticklen": 4,
        "zeroline": False,
        "title": {"standoff": 8, "font": {"size": FONT_SIZE}},
        "automargin": True,
    }


TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": SANS, "size": FONT_SIZE, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": list(CATEGORICAL),
        "margin": {"l": 64, "r": 20, "t": 34, "b": 84},
        "modebar": {"bgcolor": "rgba(255,255,255,0)", "color": "#c3cad3", "activecolor": TRAINED},
        "xaxis": _axis(),
        "yaxis": _axis(),
        "legend": {"orientation": "h", "xref": "container", "x": 0, "yref": "container", "y": 0, "yanchor": "bottom"},
        "hoverlabel": {"bgcolor": PAPER, "bordercolor": RULE, "font": {"family": SANS, "color": INK}},
        "hovermode": "closest",
        "bargap": 0.28,
    }
)
