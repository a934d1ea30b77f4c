"""Item embeddings drawn: what each cell's items hold along a component, cosines in clustered order, and norms."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dtinterp.interventions.studies.item_geometry import Clustergram, ItemMaps2D, NormStrip
from dtinterp.report.style import BALL, CONTROL_2, INK, KEY, styled

SIDES = [[0.0, BALL], [0.5, "#ffffff"], [1.0, KEY]]
"""Blue, as balls are drawn, through white to orange, as keys are."""
CELL_HEIGHT = 240
LABELLED = 60
"""items up to which each has its name"""


def item_maps_figure(maps: ItemMaps2D) -> go.Figure:
    """Draw one picture of the view for each component and thing, y downwards as the agent sees it."""
    n_components, n_things = maps.score.shape[:2]
    titles = [f"{thing}, component {place + 1}" for place in range(n_components) for thing in maps.things]
    figure = make_subplots(n_components, n_things, subplot_titles=titles, horizontal_spacing=0.06)
    for component in range(n_components):
        largest = float(maps.score[component].abs().max())
        for thing in range(n_things):
            figure.add_heatmap(
                z=maps.score[component, thing].T.tolist(),
                zmin=-largest,
                zmax=largest,
                colorscale=SIDES,
                showscale=thing == n_things - 1,
                colorbar={"len": 0.9 / n_components, "y": 1 - (component + 0.5) / n_components, "thickness": 10},
                hovertemplate="(%{x},%{y}) %{z:.2f}<extra></extra>",
                row=component + 1,
                col=thing + 1,
            )
    for place, axis in enumerate(figure.select_yaxes()):
        axis.update(autorange="reversed", dtick=1, constrain="domain", scaleanchor=f"x{place + 1}" if place else "x")
    figure.update_xaxes(dtick=1, constrain="domain")
    return styled(figure, height=80 + CELL_HEIGHT * n_components)


def clustergram_figure(shown: Clustergram) -> go.Figure:
    """Draw the cosines, items that point alike beside each other."""
    figure = go.Figure(
        go.Heatmap(
            z=shown.cosine.tolist(),
            x=list(shown.names),
            y=list(shown.names),
            zmin=-1,
            zmax=1,
            colorscale=SIDES,
            colorbar={"title": {"text": "cosine", "font": {"size": 13}}, "thickness": 12},
            hovertemplate="%{y} · %{x} %{z:.2f}<extra></extra>",
        )
    )
    is_labelled = len(shown.names) <= LABELLED
    figure.update_xaxes(showticklabels=is_labelled, tickangle=-90)
    figure.update_yaxes(showticklabels=is_labelled, autorange="reversed", scaleanchor="x", constrain="domain")
    return styled(figure, height=620)


def norm_strip_figure(strips: Sequence[NormStrip]) -> go.Figure:
    """Draw the norm of each item as a point, by thing; open where the world never shows the item."""
    figure = go.Figure()
    for is_shown, name, colour, symbol in (
        (True, "shown", INK, "circle"),
        (False, "never shown", CONTROL_2, "circle-open"),
    ):
        chosen = [(strip.thing, norm) for strip in strips for norm in strip.norm[strip.is_shown == is_shown].tolist()]
        figure.add_box(
            x=[thing for thing, _ in chosen],
            y=[norm for _, norm in chosen],
            name=name,
            boxpoints="all",
            pointpos=0,
            jitter=0.6,
            fillcolor="rgba(0,0,0,0)",
            line={"width": 0},
            marker={"color": colour, "symbol": symbol, "size": 6},
            hovertemplate="%{x} %{y:.2f}<extra></extra>",
        )
    figure.update_layout(boxmode="group")
    figure.update_yaxes(title_text="norm of the item's embedding", rangemode="tozero")
    return styled(figure, height=360)
