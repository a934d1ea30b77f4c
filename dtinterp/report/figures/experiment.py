"""What an edit changes against its dose, beside every control, and how whole episodes end."""

import pandas as pd
import plotly.graph_objects as go

from dtinterp.report.style import CONTROL, SUCCESS, TIMEOUT, TRAINED, WRONG, styled

FAMILY_COLOURS = {
    "edit": TRAINED,
    "matched features": CONTROL,
    "random directions": "#c3cad3",
    "wrong sign": WRONG,
    "other slots": "#b58a3c",
    "untrained model": "#7a6fb0",
}
"""The edit stands out; of controls each family has its own."""
ENDINGS = {"matching target": SUCCESS, "other target": WRONG, "out of time": TIMEOUT}


def dose_response_figure(changes: pd.DataFrame) -> go.Figure:
    """Draw the mean size of one measure's change against the dose: the edit, and a line for each control.

    `changes` has the columns family, arm, dose, window and change, of one measure.
    """
    sizes = changes.assign(change=changes["change"].abs())
    means = sizes.pivot_table(index=["family", "arm", "dose"], values="change", sort=False).reset_index()
    figure = go.Figure()
    families = sorted(means["family"].unique(), key=lambda family: family == "edit")  # the edit is drawn last
    for family in families:
        own = means[means["family"] == family]
        for place, (arm, line) in enumerate(own.groupby("arm", sort=False)):
            figure.add_scatter(
                x=line["dose"],
                y=line["change"],
                mode="lines+markers" if family == "edit" else "lines",
                line={"color": FAMILY_COLOURS.get(family, CONTROL), "width": 3 if family == "edit" else 1.2},
                name=family,
                legendgroup=family,
                showlegend=place == 0,
                hovertext=arm,
            )
    figure.update_xaxes(title_text="dose")
    figure.update_yaxes(title_text=f"mean size of the change: {changes['measure'].iloc[0]}", rangemode="tozero")
    return styled(figure, height=380)


def episodes_figure(endings: pd.DataFrame) -> go.Figure:
    """Draw how whole episodes end; `endings` has a column `arm`, and one for each ending's share."""
    figure = go.Figure()
    for name, colour in ENDINGS.items():
        figure.add_bar(y=endings["arm"], x=endings[name], name=name, orientation="h", marker_color=colour)
    figure.update_xaxes(range=[0, 1], tickformat=".0%", title_text="episodes")
    figure.update_yaxes(autorange="reversed", ticks="", showgrid=False)
    return styled(figure, height=120 + 24 * len(endings), barmode="stack", margin={"l": 260})
