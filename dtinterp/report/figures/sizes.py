"""Loss and success against the parameters of a sweep's models."""

from collections.abc import Sequence
from itertools import groupby

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dtinterp.model.training.sizes import Scores, Size, Tried
from dtinterp.report.figures.calibration import error_bars
from dtinterp.report.style import CATEGORICAL, DASHES, MUTED, SYMBOLS, styled

PANELS = (("loss", "held-out loss, nats per action"), ("success", "success at the return asked for"))
"""Field of a size, and what it is called."""


def sizes_figure(sizes: Sequence[Size], tried: Sequence[Tried]) -> go.Figure:
    """Draw the mean over seeds with its interval, a line for each number of layers, and each seed as a dot."""
    figure = make_subplots(cols=len(PANELS), subplot_titles=[title for _, title in PANELS], horizontal_spacing=0.1)
    for column, (field, title) in enumerate(PANELS, start=1):
        for place, (n_layers, group) in enumerate(groupby(sizes, key=lambda size: size.n_layers)):
            _add_line(figure, list(group), field, place=place, column=column)
            _add_seeds(figure, [each for each in tried if each.trial.n_layers == n_layers], field, place, column)
        figure.update_yaxes(title_text=title, col=column)
    figure.update_xaxes(title_text="parameters", type="log")
    figure.update_yaxes(range=[-0.03, 1.03], tickformat=".0%", col=2)
    figure.update_annotations(font_size=13, font_color=MUTED)
    return styled(figure, height=400)


def _add_line(figure: go.Figure, sizes: Sequence[Size], field: str, *, place: int, column: int) -> None:
    means = [getattr(size, field) for size in sizes]
    colour = CATEGORICAL[place % len(CATEGORICAL)]
    figure.add_scatter(
        x=[size.n_parameters for size in sizes],
        y=[mean.estimate for mean in means],
        error_y=error_bars(means),
        mode="lines+markers",
        name=_layers(sizes[0].n_layers),
        legendgroup=place,
        showlegend=column == 1,
        line={"color": colour, "width": 2, "dash": DASHES[place % len(DASHES)]},
        marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 9},
        customdata=[f"width {size.d_model}, {_layers(size.n_layers)}: {getattr(size, field)}" for size in sizes],
        hovertemplate="%{customdata}<extra></extra>",
        row=1,
        col=column,
    )


def _add_seeds(figure: go.Figure, tried: Sequence[Tried], field: str, place: int, column: int) -> None:
    scored = [(each.trial, each.outcome) for each in tried if isinstance(each.outcome, Scores)]
    figure.add_scatter(
        x=[scores.n_parameters for _, scores in scored],
        y=[scores.loss if field == "loss" else scores.success.estimate for _, scores in scored],
        mode="markers",
        legendgroup=place,
        showlegend=False,
        marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 6, "color": CATEGORICAL[place % len(CATEGORICAL)]},
        opacity=0.45,
        customdata=[f"width {trial.d_model}, {_layers(trial.n_layers)}, seed {trial.seed}" for trial, _ in scored],
        hovertemplate="%{customdata}: %{y:.4g}<extra></extra>",
        row=1,
        col=column,
    )


def _layers(n_layers: int) -> str:
    return f"{n_layers} layer{'s' * (n_layers > 1)}"
