import pandas as pd

from dtinterp.report.figures.experiment import dose_response_figure, episodes_figure

ARMS = (("edit", "the edit", -2.0), ("matched features", "a", 1.0), ("matched features", "b", 0.5))


def test_the_edit_is_drawn_last_and_each_family_is_named_once() -> None:
    rows = [
        {"family": family, "arm": arm, "measure": "flip", "dose": dose, "window": window, "change": size * dose}
        for family, arm, size in (
            ("edit", "the edit", -2.0),
            ("matched features", "a", 1.0),
            ("matched features", "b", 0.5),
        )
        for dose in (0.0, 1.0)
        for window in ("w", "v")
    ]
    figure = dose_response_figure(pd.DataFrame(rows))
    assert [trace.name for trace in figure.data] == ["matched features", "matched features", "edit"]
    assert [trace.showlegend for trace in figure.data] == [True, False, True]
    assert list(figure.data[-1].y) == [0.0, 2.0]
    assert "flip" in figure.layout.yaxis.title.text


def test_the_shares_of_an_arm_fill_its_bar() -> None:
    endings = pd.DataFrame(
        {
            "arm": ["intact", "edit"],
            "matching target": [1.0, 0.25],
            "other target": [0.0, 0.5],
            "out of time": [0.0, 0.25],
        }
    )
    figure = episodes_figure(endings)
    assert [sum(trace.x[place] for trace in figure.data) for place in range(2)] == [1.0, 1.0]
