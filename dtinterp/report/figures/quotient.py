"""Return on the classes over their number, beside controls."""

from collections.abc import Sequence

import plotly.graph_objects as go

from dtinterp.equivalence.behaviour.quotient import Cut, Quotient, QuotientBehaviour
from dtinterp.report.style import CONTROL, INK, RULE, TRAINED, styled

BAND = "#e3e7ec"
"""what random classes earn"""
LABEL_HEIGHT = 0.09
"""no more than this share of the axis"""


def quotient_figure(behaviour: QuotientBehaviour) -> go.Figure:
    """Draw the expected return against the number of classes: the model's, an untrained model's and random ones."""
    figure = go.Figure()
    _add_random(figure, behaviour.coarsening)
    _add_curve(
        figure, behaviour.untrained_coarsening, name="classes of an untrained model", colour=CONTROL, symbol="diamond"
    )
    _add_curve(figure, behaviour.coarsening, name="classes of the model", colour=TRAINED, symbol="circle")
    figure.add_scatter(
        x=[each.n_classes for each in behaviour.named],
        y=[each.earned.expected_return for each in behaviour.named],
        mode="markers+text",
        text=["the model’s classes", _beside_the_model(behaviour), *(each.name for each in behaviour.worlds)],
        textposition=["bottom center", "bottom center", *("top center" for _ in behaviour.worlds)],
        name="partitions with a name",
        marker={"symbol": "star", "size": 13, "color": INK},
        customdata=[_words(each) for each in behaviour.named],
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure.add_hline(
        y=behaviour.intact.expected_return,
        line={"color": RULE, "dash": "dash", "width": 1.5},
        annotation_text="every observation as it is",
        annotation_position="bottom right",
    )
    figure.update_xaxes(
        title_text="classes that are left", type="log", dtick=0.30103, tickformat="d", autorange="reversed"
    )
    figure.update_yaxes(title_text="expected return", range=[0, _top(behaviour)])
    return styled(figure, height=380)


def _top(behaviour: QuotientBehaviour) -> float:
    """Return the largest return that the axis shows."""
    return 1.15 * max(behaviour.intact.expected_return, 0.1)


def _beside_the_model(behaviour: QuotientBehaviour) -> str:
    """Return the untrained model's label, a line lower where the model's own, of as many classes, would cover it."""
    returns = [each.earned.expected_return for each in (behaviour.classes, behaviour.untrained_classes)]
    is_covered = abs(returns[0] - returns[1]) < LABEL_HEIGHT * _top(behaviour)
    return "<br>an untrained model’s" if is_covered else "an untrained model’s"


def _add_random(figure: go.Figure, coarsening: Sequence[Quotient]) -> None:
    counts = [each.n_classes for each in coarsening]
    low, high = ([getattr(each.random_return, end) for each in coarsening] for end in ("low", "high"))
    figure.add_scatter(
        x=[*counts, *reversed(counts)],
        y=[*high, *reversed(low)],
        fill="toself",
        fillcolor=BAND,
        mode="none",
        name="random classes of the same sizes, 95%",
        hoverinfo="skip",
    )


def _add_curve(figure: go.Figure, quotients: Sequence[Quotient | Cut], *, name: str, colour: str, symbol: str) -> None:
    figure.add_scatter(
        x=[each.n_classes for each in quotients],
        y=[each.earned.expected_return for each in quotients],
        mode="lines+markers",
        name=name,
        line={"color": colour},
        marker={"symbol": symbol, "size": 8},
        customdata=[_words(each) for each in quotients],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _words(tried: Quotient | Cut) -> str:
    earned = f"{tried.n_classes} classes, return {tried.earned.expected_return:.3f}, success {tried.earned.success:.0%}"
    match tried:
        case Quotient(name=name, random_return=random):
            return f"{name}: {earned}; random classes {random}"
        case Cut():
            return f"an untrained model’s: {earned}"
