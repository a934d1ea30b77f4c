"""What dictionaries lose against how many features they use."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dtinterp.report.figures.calibration import error_bars
from dtinterp.report.style import CATEGORICAL, MUTED, SYMBOLS, styled

PANELS = (("FVU", "variance unexplained (FVU)"), ("loss recovered (zeros)", "loss recovered, against zeros"))
"""Column of the table, and what it is called."""


def dictionary_figure(table: pd.DataFrame) -> go.Figure:
    """Draw a `dictionary_table`: FVU and the loss recovered against L0, kinds by colour, sites by symbol.

    Intervals are drawn both ways. An open symbol warns of a dictionary that is wider than its distinct inputs.
    """
    titles = [title for _, title in PANELS]
    figure = make_subplots(cols=len(PANELS), subplot_titles=titles, horizontal_spacing=0.09)
    kinds, sites = (sorted(set(table[name])) for name in ("kind", "site"))
    is_again = table.duplicated(["kind", "site"])
    for row, again in zip(table.to_dict("records"), is_again, strict=True):
        colour = CATEGORICAL[kinds.index(row["kind"]) % len(CATEGORICAL)]
        symbol = SYMBOLS[sites.index(row["site"]) % len(SYMBOLS)]
        _add(figure, row, marker=_marker(row, colour, symbol), showlegend=not again)
    figure.update_xaxes(title_text="L0: active features per row")
    figure.update_yaxes(rangemode="tozero", col=1)
    figure.add_hline(y=1, line={"color": MUTED, "width": 1, "dash": "dot"}, row=1, col=2)  # pyright: ignore[reportArgumentType]
    figure.update_annotations(font_size=13, font_color=MUTED)
    return styled(figure, height=380)


def _marker(row: Mapping[Hashable, Any], colour: str, symbol: str) -> dict[str, object]:
    is_wide = row["width"] > row["distinct inputs"]
    return {
        "color": colour,
        "symbol": f"{symbol}-open" if is_wide else symbol,
        "size": 10,
        "line": {"width": 2 if is_wide else 0, "color": colour},
    }


def _add(figure: go.Figure, row: Mapping[Hashable, Any], *, marker: dict[str, object], showlegend: bool) -> None:
    for column, (measure, _) in enumerate(PANELS, start=1):
        measured = row[measure]
        if measured is None:
            continue
        figure.add_scatter(
            x=[row["L0"].estimate],
            y=[measured.estimate],
            error_x=error_bars([row["L0"]]),
            error_y=error_bars([measured]),
            mode="markers",
            cliponaxis=False,
            name=f"{row['kind']} at {row['site']}",
            legendgroup=f"{row['kind']} {row['site']}",
            showlegend=showlegend and column == 1,
            marker=marker,
            customdata=[[row["dictionary"], str(measured), f"{row['L0'].estimate:.1f}"]],
            hovertemplate="%{customdata[0]}<br>L0 %{customdata[2]}<br>%{customdata[1]}<extra></extra>",
            row=1,
            col=column,
        )
