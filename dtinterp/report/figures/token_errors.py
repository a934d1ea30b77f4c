"""Errors of single tokens against active features, one panel a dictionary, on common axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Int64
from plotly.subplots import make_subplots
from torch import Tensor

from dtinterp.features.single_rows import TokenErrors
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


@dataclass(frozen=True)
class ErrorPanel:
    """What one dictionary makes of the rows."""

    name: str
    site: str
    errors: TokenErrors


@dataclass(frozen=True)
class RowPlaces:
    """Where the rows stand that several dictionaries reconstruct."""

    step: Int64[Tensor, " row"]
    slot: Int64[Tensor, " row"]
    """counted from 0"""
    time: Int64[Tensor, " row"]
    """env time"""

    def said(self, row: int) -> str:
        """Name a row. A window that is padded begins with its episode, so pads are the slots before env time 0."""
        slot, time = int(self.slot[row]), int(self.time[row])
        pads = plural(max(slot - time, 0), "pad")
        return f"step {int(self.step[row])}, slot {slot + 1} (t = {time}, {pads})"


def token_error_figure(panels: Sequence[ErrorPanel], places: RowPlaces) -> go.Figure:
    """Draw the error of the same rows in each dictionary against how many features they use; outliers stand out."""
    n = len(panels)
    n_columns = min(n, N_COLUMNS)
    titles = [f"{panel.name}<br><sub>{panel.site}</sub>" for panel in panels]
    figure = make_subplots(
        rows=ceil(n / n_columns),
        cols=n_columns,
        subplot_titles=titles,
        shared_xaxes="all",  # pyright: ignore[reportArgumentType]
        shared_yaxes="all",  # pyright: ignore[reportArgumentType]
        horizontal_spacing=0.02,
        vertical_spacing=0.17,
    )
    for place, panel in enumerate(panels):
        errors, at = panel.errors, (place // n_columns + 1, place % n_columns + 1)
        is_outlier = errors.error > errors.limit
        for rows, colour in ((errors.thinned(N_SHOWN), TRAINED), (is_outlier.nonzero().squeeze(1), WRONG)):
            _add(figure, errors, rows, said=_said(errors, places, rows), colour=colour, at=at)
    figure.update_xaxes(type="log", title_text="active features", dtick=1)
    figure.update_yaxes(type="log", exponentformat="power", dtick=1)
    figure.update_yaxes(title_text="error", col=1)
    figure.update_annotations(font_size=12, font_color=MUTED)
    return styled(figure, height=120 + 250 * ceil(n / n_columns), showlegend=False)


def _said(errors: TokenErrors, places: RowPlaces, rows: Int64[Tensor, " shown"]) -> list[str]:
    """Return what a pointer is told of each row."""
    return [
        f"L0 {int(errors.l0[row])}, error {float(errors.error[row]):.2g}<br>{places.said(row)}" for row in rows.tolist()
    ]


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
