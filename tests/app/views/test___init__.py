import sys
from pathlib import Path

import pytest

import app.views
from app.views import found_views
from tests.app.views.conftest import open_page

TOY = """
import streamlit as st
from app.views import View

VIEW = View(title="Toy", order=0, icon=":material/toys:", show=lambda: st.title("A toy page"))
"""


def test_the_pages_of_the_folder_are_found_in_their_order() -> None:
    assert [name for name, _ in found_views()] == ["equivalence"]


def test_a_file_dropped_into_the_folder_is_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setattr(app.views, "__path__", [*app.views.__path__, str(tmp_path)])
    try:
        assert [name for name, _ in found_views()] == ["toy", "equivalence"]
        assert open_page().title[0].value == "A toy page"
    finally:
        sys.modules.pop("app.views.toy")
