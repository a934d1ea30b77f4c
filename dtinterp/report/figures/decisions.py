"""Probabilities of all actions, with one thing or another in an observation's place."""

from collections.abc import Sequence

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from dtinterp.equivalence.explain.decisions import Decided
from dtinterp.report.style import DIVERGENCE_SCALE, INK, PAPER, styled
from environments.vocabulary import ACTIONS

ROW_HEIGHT = 38
"""Pixels."""


def decision_figure(rows: Sequence[Decided], decision: int) -> go.Figure:
    """Draw each row's probability of every action at one decision, and how far all of its decisions moved.

    `decision` counts from the observation's slot on.
    """
    shares = [row.probability[decision] for row in rows]
    names = [f"{row.name}<br><sub>{_moved(row)}</sub>" for row in rows]
    n_actions = len(shares[0])
    figure = go.Figure(
        go.Heatmap(
            z=[share.tolist() for share in shares],
            x=list(ACTIONS[:n_actions]),
            y=list(range(len(rows))),
            zmin=0,
            zmax=1,
            colorscale=DIVERGENCE_SCALE,
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate="%{x}: %{z:.1%}<extra></extra>",
        )
    )
    for place, share in enumerate(shares):
        _write(figure, place, share)
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=names, autorange="reversed", showline=False, ticks="", showgrid=False
    )
    figure.update_xaxes(side="top", showline=False, ticks="", showgrid=False)
    return styled(figure, height=60 + ROW_HEIGHT * len(rows), margin={"l": 10, "r": 10, "t": 34, "b": 10})


def _write(figure: go.Figure, place: int, share: Float[Tensor, " action"]) -> None:
    """Write the probabilities into a row, light on dark; those that round to nothing are left out."""
    for action, value in zip(ACTIONS, share.tolist(), strict=False):
        if value >= 0.005:
            font = {"color": PAPER if value > 0.5 else INK, "size": 12}
            figure.add_annotation(x=action, y=place, text=f"{value:.2f}", showarrow=False, font=font)


def _moved(row: Decided) -> str:
    largest = float(row.divergence.max())
    return f"moves a decision by {largest:.3f} bits" if largest else "nothing moved"
