"""Dose curves of the instruction flip, and how the episodes played end."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from dtinterp.interventions.closed_loop import ClosedLoop
from dtinterp.interventions.dose import DoseCurves
from dtinterp.report.figures.calibration import hatched
from dtinterp.report.style import CONTROL, INK, MUTED, SUCCESS, TIMEOUT, TRAINED, WRONG, styled

BAND = (0.025, 0.5, 0.975)
"""Quantiles of the random directions that are drawn: the central 95% and the median."""

ARMS = (
    ("intact", "intact"),
    ("same", "set to the instruction shown"),
    ("opposite", "set to the other one"),
    ("control", "random directions"),
)
"""Field of a closed loop and what the arm is called."""

ENDINGS = (
    ("matching_target", "matching target", SUCCESS, ""),
    ("other_target", "other target", WRONG, "/"),
    ("timeout", "out of time", TIMEOUT, ""),
)


def dose_figure(dose: DoseCurves, flipped: Mapping[str, float]) -> go.Figure:
    """Draw the logit difference against what the direction was set to, over the random directions' band.

    `flipped` names the configurations, and says what the model says where the picture shows the other instruction.
    """
    figure = make_subplots(cols=len(flipped), shared_yaxes=True, subplot_titles=list(flipped), horizontal_spacing=0.025)
    for place, level in enumerate(flipped.values()):
        _add_band(figure, dose, place)
        _add_curve(figure, dose, place)
        _add_levels(figure, dose, place, flipped=level)
    figure.update_xaxes(title_text="direction set to", zeroline=True, zerolinecolor="#c3cad3")
    figure.update_yaxes(zeroline=True, zerolinecolor="#9aa5b1", zerolinewidth=1.2)
    figure.update_yaxes(title_text="logit(left) − logit(right)", col=1)
    figure.update_annotations(font_size=13, font_color=MUTED)
    return styled(figure, height=380)


def endings_figure(loops: Sequence[ClosedLoop]) -> go.Figure:
    """Draw how episodes end in each arm, one panel a sampler."""
    titles = [loop.sampler for loop in loops]
    figure = make_subplots(cols=len(loops), shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.05)
    for column, loop in enumerate(loops, start=1):
        _add_endings(figure, loop, column)
    figure.update_xaxes(range=[0, 1], tickformat=".0%", title_text="episodes")
    figure.update_yaxes(autorange="reversed", ticks="", showgrid=False)
    figure.update_annotations(font_size=13, font_color=MUTED)
    return styled(figure, height=330, barmode="stack", margin={"l": 190})


def _add_band(figure: go.Figure, dose: DoseCurves, place: int) -> None:
    low, middle, high = torch.quantile(dose.controls[:, place], torch.tensor(BAND), dim=0).tolist()
    x = dose.coefficient.tolist()
    shared = {"mode": "lines", "hoverinfo": "skip", "row": 1, "col": place + 1}
    figure.add_scatter(x=x, y=high, line={"width": 0}, showlegend=False, **shared)
    figure.add_scatter(
        x=x,
        y=low,
        line={"width": 0},
        fill="tonexty",
        fillcolor="rgba(138,148,163,0.28)",
        name=f"{len(dose.controls)} random directions moved as far, 95%",
        legendgroup="band",
        showlegend=place == 0,
        **shared,
    )
    figure.add_scatter(x=x, y=middle, line={"color": CONTROL, "width": 1.2, "dash": "dot"}, showlegend=False, **shared)


def _add_curve(figure: go.Figure, dose: DoseCurves, place: int) -> None:
    figure.add_scatter(
        x=dose.coefficient.tolist(),
        y=dose.instruction[place].tolist(),
        mode="lines+markers",
        name="instruction direction",
        legendgroup="instruction",
        showlegend=place == 0,
        line={"color": TRAINED, "width": 2.5},
        marker={"size": 6},
        hovertemplate="set to %{x:g}: %{y:.2f}<extra></extra>",
        row=1,
        col=place + 1,
    )


def _add_levels(figure: go.Figure, dose: DoseCurves, place: int, *, flipped: float) -> None:
    """Draw what the model says untouched, and what it says when the picture shows the other instruction."""
    ends = [float(np.min(dose.coefficient.numpy())), float(np.max(dose.coefficient.numpy()))]
    levels = (
        ("untouched", float(dose.original[place]), INK, "solid"),
        ("other instruction shown", flipped, WRONG, "dash"),
    )
    for name, level, colour, dash in levels:
        figure.add_scatter(
            x=ends,
            y=[level, level],
            mode="lines",
            name=name,
            legendgroup=name,
            showlegend=place == 0,
            line={"color": colour, "width": 1.2, "dash": dash},
            hovertemplate=f"{name}: %{{y:.2f}}<extra></extra>",
            row=1,
            col=place + 1,
        )


def _add_endings(figure: go.Figure, loop: ClosedLoop, column: int) -> None:
    for field, title, colour, hatching in ENDINGS:
        shares = [getattr(getattr(loop, arm), field) for arm, _ in ARMS]
        figure.add_bar(
            x=[share.estimate for share in shares],
            y=[name for _, name in ARMS],
            orientation="h",
            name=title,
            legendgroup=title,
            showlegend=column == 1,
            marker={"color": colour, "pattern": hatched(hatching)},
            customdata=[str(share) for share in shares],
            hovertemplate=f"%{{y}}: {title} %{{customdata}}<extra></extra>",
            row=1,
            col=column,
        )
