"""The heat map of divergences, agreement with the world, and one observation's nearest others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.equivalence.truth.agreement import Agreement, WorldComparison
from dtinterp.report.figures.calibration import error_bars
from dtinterp.report.style import CONTROL, CONTROL_2, DIVERGENCE_SCALE, INK, RULE, TRAINED, WRONG, styled

ROW_HEIGHT = 92
"""Pixels of the agreement figure per partition of the world."""


@dataclass(frozen=True)
class DivergenceMap:
    """The largest divergence of every two observations, class after class."""

    frame_id: Int64[Tensor, " frame"]
    divergence: Float32[Tensor, "frame frame"]
    """bits"""
    sizes: Sequence[int]
    """of the classes, in the order of their frames"""


@dataclass(frozen=True)
class Neighbours:
    """One observation's divergence from others, the nearest first."""

    frame_id: Int64[Tensor, " other"]
    maximum: Float32[Tensor, " other"]
    """bits, over contexts"""
    mean: Float32[Tensor, " other"]
    n_contexts: Int64[Tensor, " other"]
    is_mate: Bool[Tensor, " other"]
    """whether it is of the same class"""
    epsilon: float
    """bits that those of one class may be apart"""


def divergence_figure(shown: DivergenceMap) -> go.Figure:
    """Draw the map, classes of more than one observation boxed."""
    names = [f"frame {frame}" for frame in shown.frame_id.tolist()]
    figure = go.Figure(
        go.Heatmap(
            z=np.round(shown.divergence.double().numpy(), 4),
            zmin=0,
            zmax=1,
            colorscale=DIVERGENCE_SCALE,
            colorbar={"title": {"text": "bits", "font": {"size": 13}}, "thickness": 12, "outlinewidth": 0, "len": 0.9},
            customdata=_pairs(names),
            hovertemplate="%{customdata}: %{z:.3f} bits<extra></extra>",
        )
    )
    figure.update_layout(shapes=_boxes(shown.sizes))
    bare = {
        "showticklabels": False,
        "ticks": "",
        "showgrid": False,
        "constrain": "domain",
        "linecolor": RULE,
        "mirror": True,
    }
    figure.update_xaxes(**bare)
    figure.update_yaxes(**bare, autorange="reversed", scaleanchor="x")
    return styled(figure, height=620, margin={"l": 8, "r": 8, "t": 32, "b": 8})


def agreement_figure(comparisons: Sequence[WorldComparison]) -> go.Figure:
    """Draw the adjusted Rand index with each partition of the world, trained model and controls on one line each."""
    figure, n_worlds = go.Figure(), len(comparisons)
    arms = (
        ("trained model", "trained", TRAINED, "circle", 0.24),
        ("untrained model, as many classes", "untrained", CONTROL, "diamond", -0.08),
        ("untrained model, same ε", "untrained_at_epsilon", CONTROL_2, "square", -0.3),
    )
    _add_chance(figure, [each.trained for each in comparisons])
    for name, field, colour, symbol, offset in arms:
        agreements = [getattr(each, field) for each in comparisons]
        _add_arm(figure, agreements, name=name, offset=offset, marker={"color": colour, "symbol": symbol, "size": 10})
    labels = [f"{each.world}<br>{each.trained.n_reference_classes} classes" for each in comparisons]
    figure.update_yaxes(
        tickvals=list(range(n_worlds)), ticktext=labels, range=[n_worlds - 0.45, -0.6], showgrid=False, ticks=""
    )
    figure.update_xaxes(
        title_text="adjusted Rand index (1: the same classes, 0: chance)",
        range=_ari_range(comparisons),
        zeroline=True,
        zerolinecolor=RULE,
    )
    return styled(figure, height=120 + ROW_HEIGHT * n_worlds, margin={"l": 150})


def neighbours_figure(shown: Neighbours) -> go.Figure:
    """Draw the divergences, class-mates dark, with ε as a line: bars are the largest over contexts, ticks the mean."""
    names = [f"frame {frame}" for frame in shown.frame_id.tolist()]
    figure = go.Figure(
        go.Bar(
            x=names,
            y=shown.maximum.tolist(),
            marker={"color": [TRAINED if mate else CONTROL_2 for mate in shown.is_mate.tolist()]},
            customdata=shown.n_contexts.tolist(),
            hovertemplate="%{x}: at most %{y:.3f} bits in %{customdata} contexts<extra></extra>",
            showlegend=False,
        )
    )
    figure.add_scatter(
        x=names,
        y=shown.mean.tolist(),
        mode="markers",
        name="mean over contexts",
        marker={"symbol": "line-ew-open", "size": 11, "color": INK, "line": {"width": 2}},
        hovertemplate="%{x}: %{y:.3f} bits on average<extra></extra>",
    )
    figure.add_hline(
        y=shown.epsilon,
        line={"color": WRONG, "dash": "dash", "width": 1.5},
        annotation_text=f"ε = {shown.epsilon:g}",
        annotation_font_color=WRONG,
    )
    figure.update_yaxes(title_text="largest divergence, bits", rangemode="tozero")
    figure.update_xaxes(tickangle=-50)
    return styled(figure, height=360)


def _ari_range(comparisons: Sequence[WorldComparison]) -> list[float]:
    """Return an axis from a little below everything to a little above 1."""
    lows = [
        min(each.trained.ari.low, each.trained.random.low, each.untrained.ari.low, each.untrained_at_epsilon.ari.low)
        for each in comparisons
    ]
    return [min(-0.05, *(low - 0.03 for low in lows)), 1.03]


def _pairs(names: Sequence[str]) -> list[list[str]]:
    return [[f"{one} and {other}" for other in names] for one in names]


def _boxes(sizes: Sequence[int]) -> list[dict[str, object]]:
    boxes, start = [], -0.5
    for size in sizes:
        end = start + size
        if size > 1:
            line = {"color": WRONG, "width": 1.5}
            boxes.append({"type": "rect", "x0": start, "x1": end, "y0": start, "y1": end, "line": line})
        start = end
    return boxes


def _add_chance(figure: go.Figure, agreements: Sequence[Agreement]) -> None:
    """Draw random classes of the trained model's sizes as a band behind each row."""
    for place, agreement in enumerate(agreements):
        figure.add_scatter(
            x=[agreement.random.low, agreement.random.high],
            y=[place, place],
            mode="lines",
            name="random classes of the same sizes, 95%",
            legendgroup="random",
            showlegend=place == 0,
            line={"color": "#e3e7ec", "width": 40},
            hovertemplate=f"random classes: {agreement.random}<extra></extra>",
        )


def _add_arm(
    figure: go.Figure, agreements: Sequence[Agreement], *, name: str, offset: float, marker: dict[str, object]
) -> None:
    intervals = [agreement.ari for agreement in agreements]
    figure.add_scatter(
        x=[interval.estimate for interval in intervals],
        y=[place - offset for place in range(len(intervals))],
        error_x=error_bars(intervals) | {"color": marker["color"]},
        mode="markers",
        name=name,
        marker=marker,
        customdata=[[str(each.ari), each.n_classes] for each in agreements],
        hovertemplate=f"{name}: %{{customdata[0]}}, %{{customdata[1]}} classes<extra></extra>",
    )
