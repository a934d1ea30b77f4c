"""What dictionaries lose against how many features they use."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dtinterp.report.figures.calibration import error_bars
from dtinterp.report.results import ScoredDictionary
from dtinterp.report.style import CATEGORICAL, MUTED, SYMBOLS, styled


def dictionary_figure(scored: Sequence[ScoredDictionary]) -> go.Figure:
    """Draw FVU and the loss recovered against L0: kinds by colour, sites by symbol, 95% intervals both ways.

    An open symbol warns of a dictionary that is wider than its distinct inputs.
    """
    titles = ["variance unexplained (FVU)", "loss recovered, against zeros"]
    figure = make_subplots(cols=2, subplot_titles=titles, horizontal_spacing=0.09)
    kinds = sorted({_kind(each) for each in scored})
    sites = sorted({each.dictionary.site for each in scored})
    shown: set[tuple[str, str]] = set()
    for each in scored:
        colour = CATEGORICAL[kinds.index(_kind(each)) % len(CATEGORICAL)]
        symbol = SYMBOLS[sites.index(each.dictionary.site) % len(SYMBOLS)]
        is_new = (_kind(each), each.dictionary.site) not in shown
        shown.add((_kind(each), each.dictionary.site))
        _add(figure, each, marker=_marker(each, colour, symbol), showlegend=is_new)
    figure.update_xaxes(title_text="L0: active features per row")
    figure.update_yaxes(rangemode="tozero", col=1)
    figure.add_hline(y=1, line={"color": MUTED, "width": 1, "dash": "dot"}, row=1, col=2)  # pyright: ignore[reportArgumentType]
    figure.update_annotations(font_size=13, font_color=MUTED)
    return styled(figure, height=380)


def _kind(each: ScoredDictionary) -> str:
    return type(each.dictionary.kind).__name__


def _marker(each: ScoredDictionary, colour: str, symbol: str) -> dict[str, object]:
    return {
        "color": colour,
        "symbol": f"{symbol}-open" if each.score.width_exceeds_inputs else symbol,
        "size": 10,
        "line": {"width": 2 if each.score.width_exceeds_inputs else 0, "color": colour},
    }


def _add(figure: go.Figure, each: ScoredDictionary, *, marker: dict[str, object], showlegend: bool) -> None:
    score = each.score
    for column, measured in enumerate((score.fvu, score.loss_recovered_from_zero), start=1):
        if measured is None:
            continue
        figure.add_scatter(
            x=[score.l0.estimate],
            y=[measured.estimate],
            error_x=error_bars([score.l0]),
            error_y=error_bars([measured]),
            mode="markers",
            cliponaxis=False,
            name=f"{_kind(each)} at {each.dictionary.site}",
            legendgroup=f"{_kind(each)} {each.dictionary.site}",
            showlegend=showlegend and column == 1,
            marker=marker,
            customdata=[[each.dictionary.name, str(measured), f"{score.l0.estimate:.1f}"]],
            hovertemplate="%{customdata[0]}<br>L0 %{customdata[2]}<br>%{customdata[1]}<extra></extra>",
            row=1,
            col=column,
        )
