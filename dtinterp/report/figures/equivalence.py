"""The heat map of divergences, agreement with the world, and one observation's nearest others."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from dtinterp.equivalence.levels import Level, class_order, frame_order
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.truth.agreement import Agreement
from dtinterp.report.figures.calibration import error_bars
from dtinterp.report.style import CONTROL, CONTROL_2, DIVERGENCE_SCALE, INK, RULE, TRAINED, WRONG, styled

ROW_HEIGHT = 92
"""Pixels of the agreement figure per partition of the world."""


def divergence_figure(report: EquivalenceReport) -> go.Figure:
    """Draw the largest divergence of every two observations, class after class, larger classes boxed."""
    order = frame_order(report.partition, report.chosen)
    divergence = report.relation.maximum[order][:, order]
    names = [f"frame {frame}" for frame in report.chosen.frame_id[order].tolist()]
    figure = go.Figure(
        go.Heatmap(
            z=np.round(divergence.double().numpy(), 4),
            zmin=0,
            zmax=1,
            colorscale=DIVERGENCE_SCALE,
            colorbar={"title": {"text": "bits", "font": {"size": 13}}, "thickness": 12, "outlinewidth": 0, "len": 0.9},
            customdata=_pairs(names),
            hovertemplate="%{customdata}: %{z:.3f} bits<extra></extra>",
        )
    )
    figure.update_layout(shapes=_boxes(report))
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


def agreement_figure(report: EquivalenceReport) -> go.Figure:
    """Draw the adjusted Rand index with each partition of the world, trained model and controls on one line each."""
    worlds = [comparison.world for comparison in report.comparisons]
    figure = go.Figure()
    arms: Sequence[tuple[str, str, str, float, Sequence[Agreement]]] = (
        ("trained model", TRAINED, "circle", 0.24, [each.trained for each in report.comparisons]),
        (
            "untrained model, as many classes",
            CONTROL,
            "diamond",
            -0.08,
            [each.untrained for each in report.comparisons],
        ),
        (
            "untrained model, same ε",
            CONTROL_2,
            "square",
            -0.3,
            [each.untrained_at_epsilon for each in report.comparisons],
        ),
    )
    _add_chance(figure, [each.trained for each in report.comparisons])
    for name, colour, symbol, offset, agreements in arms:
        _add_arm(figure, agreements, name=name, offset=offset, marker={"color": colour, "symbol": symbol, "size": 10})
    places = list(range(len(worlds)))
    labels = [
        f"{world}<br>{each.trained.n_reference_classes} classes"
        for world, each in zip(worlds, report.comparisons, strict=True)
    ]
    figure.update_yaxes(tickvals=places, ticktext=labels, range=[len(worlds) - 0.45, -0.6], showgrid=False, ticks="")
    figure.update_xaxes(
        title_text="adjusted Rand index (1: the same classes, 0: chance)",
        range=_ari_range(report),
        zeroline=True,
        zerolinecolor=RULE,
    )
    return styled(figure, height=120 + ROW_HEIGHT * len(worlds), margin={"l": 150})


def neighbours_figure(report: EquivalenceReport, level: Level, place: int, *, n_shown: int = 24) -> go.Figure:
    """Draw one observation's divergence from its nearest others, class-mates at this level dark, with its ε as a line.

    `place` is a row of the report's chosen frames. The bar is the largest divergence over contexts, the tick in it the
    mean.
    """
    relation, epsilon = report.relation, level.epsilon
    order = relation.maximum[place].argsort(stable=True)
    others = order[order != place][:n_shown]
    is_mate = level.partition.label[others] == level.partition.label[place]
    names = [f"frame {frame}" for frame in report.chosen.frame_id[others].tolist()]
    figure = go.Figure(
        go.Bar(
            x=names,
            y=relation.maximum[place][others].tolist(),
            marker={"color": [TRAINED if mate else CONTROL_2 for mate in is_mate.tolist()]},
            customdata=relation.n_contexts[place][others].tolist(),
            hovertemplate="%{x}: at most %{y:.3f} bits in %{customdata} contexts<extra></extra>",
            showlegend=False,
        )
    )
    figure.add_scatter(
        x=names,
        y=relation.mean[place][others].tolist(),
        mode="markers",
        name="mean over contexts",
        marker={"symbol": "line-ew-open", "size": 11, "color": INK, "line": {"width": 2}},
        hovertemplate="%{x}: %{y:.3f} bits on average<extra></extra>",
    )
    figure.add_hline(
        y=epsilon,
        line={"color": WRONG, "dash": "dash", "width": 1.5},
        annotation_text=f"ε = {epsilon:g}",
        annotation_font_color=WRONG,
    )
    figure.update_yaxes(title_text="largest divergence, bits", rangemode="tozero")
    figure.update_xaxes(tickangle=-50)
    return styled(figure, height=360)


def _ari_range(report: EquivalenceReport) -> list[float]:
    """Return an axis from a little below everything to a little above 1."""
    lows = [
        min(each.trained.ari.low, each.trained.random.low, each.untrained.ari.low, each.untrained_at_epsilon.ari.low)
        for each in report.comparisons
    ]
    return [min(-0.05, *(low - 0.03 for low in lows)), 1.03]


def _pairs(names: Sequence[str]) -> list[list[str]]:
    return [[f"{one} and {other}" for other in names] for one in names]


def _boxes(report: EquivalenceReport) -> list[dict[str, object]]:
    boxes, start = [], -0.5
    for size in report.partition.sizes[class_order(report.partition, report.chosen)].tolist():
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
