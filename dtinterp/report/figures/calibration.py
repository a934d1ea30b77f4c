"""The figure of a calibration: the return achieved against the return asked for, and how episodes end.

Each point is measured in `interventions/returns/calibration.py: calibration_of`.
"""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dtinterp.foundation.statistics import Interval
from dtinterp.interventions.returns.calibration import CalibrationPoint
from dtinterp.report.style import CATEGORICAL, DASHES, INK, MUTED, SUCCESS, SYMBOLS, TIMEOUT, WRONG, styled

OUTCOMES = (
    ("success", "matching target", SUCCESS, ""),
    ("failure", "wrong target", WRONG, "/"),
    ("timeout", "out of time", TIMEOUT, ""),
)
"""Field of an evaluation, what it is called, its colour and its hatching (print may have no colour)."""


def calibration_figure(calibration: Mapping[str, Sequence[CalibrationPoint]]) -> go.Figure:
    """Draw the return achieved against the one asked for, and beside it how episodes end, one panel a sampler."""
    titles = ["return achieved", *(f"how episodes end, {sampler}" for sampler in calibration)]
    widths = [0.4, *([0.6 / max(len(calibration), 1)] * len(calibration))]
    figure = make_subplots(cols=len(titles), column_widths=widths, subplot_titles=titles, horizontal_spacing=0.07)
    _add_achieved(figure, calibration)
    for column, points in enumerate(calibration.values(), start=2):
        _add_endings(figure, points, column)
    figure.update_xaxes(title_text="return asked for")
    figure.update_annotations(font_size=13, font_color=MUTED)
    return styled(figure, height=360, barmode="stack")


def error_bars(intervals: Sequence[Interval]) -> dict[str, object]:
    """Return plotly's description of the intervals around their estimates."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [interval.high - interval.estimate for interval in intervals],
        "arrayminus": [interval.estimate - interval.low for interval in intervals],
        "thickness": 1.2,
        "width": 3,
    }


def hatched(shape: str) -> dict[str, object]:
    """Return plotly's description of white hatching over a colour; an empty shape is none."""
    return {"shape": shape, "fillmode": "overlay", "fgcolor": "#ffffff", "size": 6, "solidity": 0.22}


def _add_achieved(figure: go.Figure, calibration: Mapping[str, Sequence[CalibrationPoint]]) -> None:
    asked = sorted({point.target_return for points in calibration.values() for point in points})
    figure.add_scatter(
        x=asked,
        y=asked,
        mode="lines",
        name="as asked",
        line={"color": MUTED, "width": 1, "dash": "dot"},
        hoverinfo="skip",
    )
    for index, (sampler, points) in enumerate(calibration.items()):
        achieved = [point.evaluation.mean_return for point in points]
        figure.add_scatter(
            x=[point.target_return for point in points],
            y=[interval.estimate for interval in achieved],
            error_y=error_bars(achieved),
            mode="lines+markers",
            name=sampler,
            line={"color": (INK, CATEGORICAL[2])[index % 2], "width": 2, "dash": DASHES[index % len(DASHES)]},
            marker={"symbol": SYMBOLS[index % len(SYMBOLS)], "size": 8},
            customdata=[str(interval) for interval in achieved],
            hovertemplate="asked %{x:.3g}, achieved %{customdata}<extra>" + sampler + "</extra>",
        )
    figure.update_yaxes(range=[-0.04, 1.0], col=1)


def _add_endings(figure: go.Figure, points: Sequence[CalibrationPoint], column: int) -> None:
    for field, title, colour, hatching in OUTCOMES:
        shares = [getattr(point.evaluation, field) for point in points]
        figure.add_bar(
            x=[f"{point.target_return:g}" for point in points],
            y=[share.estimate for share in shares],
            name=title,
            legendgroup=title,
            showlegend=column == 2,
            marker={"color": colour, "pattern": hatched(hatching)},
            customdata=[str(share) for share in shares],
            hovertemplate=f"asked %{{x}}: {title} %{{customdata}}<extra></extra>",
            row=1,
            col=column,
        )
    figure.update_xaxes(type="category", row=1, col=column)
    figure.update_yaxes(range=[0, 1], tickformat=".0%", row=1, col=column)
