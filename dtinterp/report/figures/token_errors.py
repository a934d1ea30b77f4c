"""Errors of single tokens against active features, one panel a dictionary, on common axes."""

from collections.abc import Sequence
from math import ceil

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Int64
from plotly.subplots import make_subplots
from torch import Tensor

from dtinterp.features.single_rows import TokenErrors
from dtinterp.interventions.replacements.dictionary_comparison import DictionaryComparison
from dtinterp.report.style import MUTED, TRAINED, WRONG, styled
from dtinterp.report.words import plural

N_SHOWN = 300
"""Rows drawn of each dictionary, at even ranks of the error, beside all of its outliers."""
N_COLUMNS = 5
SMALLEST = 1e-7
"""Errors below are drawn here; the axis is logarithmic."""
SPREAD = 0.06
"""Half the width, in decades, over which rows of one L0 are laid out, so that they do not hide each other."""
GOLDEN = 0.6180339887498949


def token_error_figure(comparison: DictionaryComparison, time: Int64[Tensor, " step"]) -> go.Figure:
    """Draw the error of rows against how many features they use; outliers in another colour.

    `time` is the env time of every step of the demonstrations: a row is named by its step, slot, env time and pads.
    """
    n = len(comparison.name)
    n_columns = min(n, N_COLUMNS)
    titles = [f"{name}<br><sub>{site}</sub>" for name, site in zip(comparison.name, comparison.site, strict=True)]
    figure = make_subplots(
        rows=ceil(n / n_columns),
        cols=n_columns,
        subplot_titles=titles,
        shared_xaxes="all",  # pyright: ignore[reportArgumentType]
        shared_yaxes="all",  # pyright: ignore[reportArgumentType]
        horizontal_spacing=0.02,
        vertical_spacing=0.17,
    )
    for place in range(n):
        row, column = place // n_columns + 1, place % n_columns + 1
        errors = comparison.errors(place)
        is_outlier = errors.error > errors.limit
        for rows, colour in ((errors.thinned(N_SHOWN), TRAINED), (is_outlier.nonzero().squeeze(1), WRONG)):
            said = [_said(comparison, errors, int(one), time) for one in rows]
            _add(figure, errors, rows, said=said, colour=colour, at=(row, column))
    figure.update_xaxes(type="log", title_text="active features", dtick=1)
    figure.update_yaxes(type="log", exponentformat="power", dtick=1)
    figure.update_yaxes(title_text="error", col=1)
    figure.update_annotations(font_size=12, font_color=MUTED)
    return styled(figure, height=120 + 250 * ceil(n / n_columns), showlegend=False)


def _said(comparison: DictionaryComparison, errors: TokenErrors, row: int, time: Int64[Tensor, " step"]) -> str:
    """Say what a row is. A window that is padded begins with its episode, so pads are the slots before env time 0."""
    step, slot = int(comparison.step[row]), int(comparison.slot[row])
    pads = max(slot - int(time[step]), 0)
    return (
        f"L0 {int(errors.l0[row])}, error {float(errors.error[row]):.2g}<br>step {step}, slot {slot + 1} "
        f"(t = {int(time[step])}, {plural(pads, 'pad')})"
    )


def _add(
    figure: go.Figure,
    errors: TokenErrors,
    rows: Int64[Tensor, " shown"],
    *,
    said: Sequence[str],
    colour: str,
    at: tuple[int, int],
) -> None:
    l0 = errors.l0[rows].clamp_min(1).double().numpy()
    aside = (np.arange(len(rows)) * GOLDEN % 1 * 2 - 1) * SPREAD
    figure.add_scatter(
        x=l0 * 10**aside,
        y=errors.error[rows].clamp_min(SMALLEST).double().numpy(),
        mode="markers",
        marker={"color": colour, "size": 4, "opacity": 0.6},
        text=said,
        hovertemplate="%{text}<extra></extra>",
        row=at[0],
        col=at[1],
    )
