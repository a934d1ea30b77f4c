"""A relation becomes the tree of its classes over all epsilon."""

import numpy as np
import plotly.graph_objects as go
from scipy.cluster import hierarchy

from dtinterp.equivalence.certify import EquivalenceReport
from dtinterp.equivalence.classes import dendrogram
from dtinterp.report.style import INK, WRONG, styled

PLACE = 10
"""Distance of two leaves in scipy's coordinates."""


def dendrogram_figure(report: EquivalenceReport) -> go.Figure:
    """Draw which observations join at which divergence, with the report's epsilon as a line.

    The axis of divergences is stretched near 0 (by the square root), where most joins are.
    """
    tree = hierarchy.dendrogram(dendrogram(report.relation), no_plot=True)
    across, along = np.array(tree["icoord"]), np.sqrt(np.array(tree["dcoord"]))  # merge corner
    figure = go.Figure(
        go.Scatter(
            x=_separated((across - PLACE / 2) / PLACE),
            y=_separated(along),
            mode="lines",
            line={"color": INK, "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    names = [f"frame {report.chosen.frame_id[leaf]}" for leaf in tree["leaves"]]
    figure.add_scatter(
        x=list(range(len(names))),
        y=[0] * len(names),
        mode="markers",
        marker={"size": 4, "color": INK},
        customdata=names,
        hovertemplate="%{customdata}<extra></extra>",
        showlegend=False,
    )
    epsilon = report.config.epsilon
    figure.add_hline(
        y=float(np.sqrt(epsilon)),
        line={"color": WRONG, "dash": "dash", "width": 1.5},
        annotation_text=f"ε = {epsilon:g}: {len(np.unique(_cut(report)))} classes",
        annotation_font_color=WRONG,
    )
    ticks = [0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1]
    figure.update_yaxes(
        title_text="largest divergence inside, bits",
        tickvals=np.sqrt(ticks).tolist(),
        ticktext=[f"{tick:g}" for tick in ticks],
        rangemode="tozero",
    )
    figure.update_xaxes(showticklabels=False, ticks="", showgrid=False)
    return styled(figure, height=360)


def _cut(report: EquivalenceReport) -> np.ndarray:
    return hierarchy.fcluster(dendrogram(report.relation), report.config.epsilon, criterion="distance")


def _separated(corners: np.ndarray) -> list[float | None]:
    """Return the corners of each join, one join after the other with a gap between them."""
    return [value for join in corners.tolist() for value in (*join, None)]
