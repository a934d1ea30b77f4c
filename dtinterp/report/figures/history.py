"""Loss, return, merges and agreement with the world over the steps of a training."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dtinterp.equivalence.over_training import HistoryPoint
from dtinterp.report.style import CATEGORICAL, DASHES, MUTED, SYMBOLS, styled

TITLES = ("held-out loss, nats per action", "expected return, exact", "pairs of observations", "adjusted Rand index")


def history_figure(moments: Sequence[HistoryPoint]) -> go.Figure:
    """Draw four panels over the steps, which stand on a logarithmic axis; the model before the first step is at 0.5."""
    figure = make_subplots(rows=2, cols=2, subplot_titles=TITLES, horizontal_spacing=0.1, vertical_spacing=0.14)
    steps = [max(moment.step, 0.5) for moment in moments]
    likeness = {name: [each.like_world[name] for each in moments] for name in moments[0].like_world}
    worlds = {name: heights for name, heights in likeness.items() if any(heights)}  # same image is 0 throughout
    panels: tuple[Mapping[str, Sequence[float]], ...] = (
        {"loss": [each.validation.loss for each in moments]},
        {
            "all observations": [each.intact.expected_return for each in moments],
            "one per class": [each.on_classes.expected_return for each in moments],
        },
        {
            "in one class": [each.n_together for each in moments],
            "merged since the moment before": [each.n_merged for each in moments],
            "split since": [each.n_split for each in moments],
        },
        {"with the last model's classes": [each.like_last for each in moments], **worlds},
    )
    for panel, curves in enumerate(panels):
        for place, (name, heights) in enumerate(curves.items()):
            figure.add_scatter(
                x=steps,
                y=heights,
                name=name,
                mode="lines+markers",
                legend=f"legend{panel + 1}",
                line={"color": CATEGORICAL[place % len(CATEGORICAL)], "dash": DASHES[place % len(DASHES)]},
                marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 6},
                customdata=[each.step for each in moments],
                hovertemplate=f"{name} after %{{customdata}} steps: %{{y:.4g}}<extra></extra>",
                row=panel // 2 + 1,
                col=panel % 2 + 1,
            )
    figure.update_xaxes(type="log", dtick=1)
    figure.update_xaxes(title_text="steps of training", row=2)
    figure.update_yaxes(rangemode="tozero", row=1, col=2)
    figure.update_yaxes(rangemode="tozero", row=2)
    figure.update_annotations(font_size=13, font_color=MUTED)
    return styled(figure, height=780, **_legends(len(panels)))


def _legends(n_panels: int) -> dict[str, object]:
    """Return a legend inside each panel."""
    return {
        f"legend{panel + 1}": {
            "orientation": "v",
            "xref": "paper",
            "yref": "paper",
            "x": (0.45, 0.57, 0.45, 0.57)[panel],
            "xanchor": "right" if panel % 2 == 0 else "left",
            "y": 0.98 - 0.57 * (panel // 2),
            "yanchor": "top",
            "bgcolor": "rgba(255,255,255,0.7)",
            "font": {"size": 11},
        }
        for panel in range(n_panels)
    }
