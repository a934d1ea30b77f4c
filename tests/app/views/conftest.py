from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.catalogue import OpenStudy, open_study, studies
from app.shelf import shelve

MAIN = Path(__file__).parents[3] / "app" / "main.py"
PATIENCE = 120
"""Seconds; the first run reads everything."""


@pytest.fixture
def opened(small_study: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStudy:
    monkeypatch.setenv("DTINTERP_ARTEFACTS", str(small_study))
    return open_study(studies(shelve([small_study]))["novice"])


def open_page(**query: str) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=PATIENCE)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def subheaders(app: AppTest) -> list[str]:
    return [each.value for each in app.subheader]


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def warnings(app: AppTest) -> list[str]:
    return [warning.value for warning in app.warning]


def button(app: AppTest, beginning: str):
    return next(each for each in app.button if each.label.startswith(beginning))
