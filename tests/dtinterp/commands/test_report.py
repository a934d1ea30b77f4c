from pathlib import Path

import pytest

from dtinterp.commands.report import Sources, read_sources, refuse_page, report, write_sources
from dtinterp.foundation.errors import UserError

SOURCES = Sources(
    agent=Path("a"),
    demonstrations=Path("b"),
    model=Path("c"),
    dictionaries=(Path("d"), Path("e")),
    features=(Path("f"),),
    equivalence=Path("g"),
    intervention=Path("h"),
    command="dtinterp study",
    seconds={"report": 1.5},
)


def test_sources_come_back_as_they_were_written(tmp_path):
    write_sources(tmp_path, SOURCES)
    assert [str(path) for path in read_sources(tmp_path).dictionaries] == ["d", "e"]
    assert read_sources(tmp_path).seconds == {"report": 1.5}


def test_a_folder_without_a_study_is_named(tmp_path):
    with pytest.raises(UserError, match=r"holds no study \(there is no study\.json in it\)"):
        report(tmp_path)


def test_damaged_sources_are_named(tmp_path):
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(UserError, match=r"study\.json is damaged"):
        read_sources(tmp_path)


def test_a_page_is_not_overwritten_unasked(tmp_path):
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        refuse_page(tmp_path, replace=False)
    refuse_page(tmp_path, replace=True)
