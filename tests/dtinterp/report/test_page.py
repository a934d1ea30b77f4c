import re
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dtinterp.equivalence.truth.agreement import Agreement, WorldComparison
from dtinterp.features.table import FeatureTable
from dtinterp.foundation.statistics import Interval
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.report import page as page_module
from dtinterp.report import sections
from dtinterp.report.page import page, render
from dtinterp.report.rendering import LOADER
from dtinterp.report.results import Result, ScoredDictionary, StudyResults
from tests.dtinterp.report.conftest import planted, with_manifest, without

TOY = """
from dataclasses import dataclass
from dtinterp.report.sections import Section

@dataclass(frozen=True)
class Toy:
    weight: int

def gather(results):
    return {"weight": results.of(Toy)[0].value.weight}

SECTION = Section("toy", "Toys", order=15, shows=(Toy,), gather=gather)
"""
SCRIPT = re.compile(r"<script.*?</script>", re.DOTALL)


@pytest.fixture(scope="module")
def written(results: StudyResults) -> str:
    return page(results)


@pytest.fixture(scope="module")
def visible(written: str) -> str:
    """The page without its scripts."""
    return SCRIPT.sub("", written)


def test_nothing_is_fetched_from_anywhere(visible: str) -> None:
    addresses = re.findall(r"""(?:src|href)="([^"]*)"|url\(([^)]*)\)|@import""", visible)
    outside = [address for pair in addresses for address in pair if address and not address.startswith(("#", "data:"))]
    assert outside == []


def test_plotly_is_there_exactly_once(written: str) -> None:
    scripts = [len(script) for script in SCRIPT.findall(written)]
    assert sum(size > 1_000_000 for size in scripts) == 1


def test_every_link_leads_somewhere(visible: str) -> None:
    targets = set(re.findall(r'\bid="([^"]+)"', visible))
    links = set(re.findall(r'href="#([^"]+)"', visible))
    assert links <= targets
    assert len(links) > 8


def test_every_artefact_has_an_entry_with_its_whole_digest(results: StudyResults, visible: str) -> None:
    for artefact in (each.artefact for each in results.opened):
        assert visible.count(f'id="artefact-{artefact.manifest.digest[:10]}"') == 1
        assert f"<code>{artefact.manifest.digest}</code>" in visible


def test_no_id_is_used_twice(visible: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', visible)
    assert len(ids) == len(set(ids))


def test_every_frame_that_is_shown_is_drawn_once(visible: str) -> None:
    shown = set(re.findall(r'href="#(frame-\d+)"', visible))
    assert shown == set(re.findall(r'<symbol id="(frame-\d+)"', visible))


def test_tags_are_closed_in_order(visible: str) -> None:
    body = visible[visible.index("<body>") :].removesuffix("</html>\n")
    body = re.sub(r"<(br|img|use)\b([^>]*)>", r"<\1\2/>", body)
    ElementTree.fromstring(re.sub(r"&(?!amp;|lt;|gt;|quot;|#)", "&amp;", body))


def test_the_same_results_make_the_same_bytes(results: StudyResults, written: str) -> None:
    assert page(results) == written


def test_the_sections_come_in_the_order_of_the_study(visible: str) -> None:
    assert re.findall(r'<section id="(\w+)"', visible) == [
        "world",
        "model",
        "dictionaries",
        "features",
        "equivalence",
        "agreement",
        "why",
        "flip",
        "adversaries",
        "provenance",
    ]


def test_a_section_dropped_into_the_folder_shows_its_kind_of_artefact(
    results: StudyResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "toy.html").write_text("{% if not missing %}<p>It weighs {{ weight|count }} grams.</p>{% endif %}")
    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(tmp_path)])
    monkeypatch.setattr(LOADER, "searchpath", [*LOADER.searchpath, str(tmp_path)])
    try:
        toy = import_module("dtinterp.report.sections.toy").Toy(1250)
        told = page(replace(results, opened=[*results.opened, Result(toy, results.agent.artefact)]))
        assert "It weighs 1\u202f250 grams." in told
        assert re.findall(r'<a href="#(\w+)">', told)[:3] == ["world", "toy", "model"]
        assert 'id="toy"' not in page(results)
    finally:
        sys.modules.pop("dtinterp.report.sections.toy")


def test_what_comes_from_outside_is_text_and_no_markup(results: StudyResults) -> None:
    hostile = "<script>alert('x')</script>"
    told = page(with_manifest(replace(results, command=hostile), "agent", code=hostile, parents={hostile: "f" * 64}))
    assert "alert(" in told
    assert "<script>alert(" not in told


def test_a_negative_result_is_said_in_the_abstract(results: StudyResults) -> None:
    nothing = Agreement(3, 4, Interval(0.1, 0.0, 0.2, 12), 0.1, Interval(0.0, -0.3, 0.3, 20), 0.4)
    report = replace(results.equivalence.value, comparisons=(WorldComparison("optimal", nothing, nothing, nothing),))
    told = page(planted(results, report))
    assert "The classes do not demonstrably follow any partition of the world that was tried" in told
    assert "is not shown to follow “optimal”" in told


def test_what_is_missing_is_said(results: StudyResults) -> None:
    told = page(without(results, ScoredDictionary, FeatureTable, InterventionReport))
    for sentence in ("No dictionary was fitted", "No feature was described", "The experiment was not run"):
        assert sentence in told


def test_the_file_stays_small(results: StudyResults, tmp_path: Path) -> None:
    path = render(results, tmp_path / "new" / "report.html")
    assert path.stat().st_size < 15e6
    assert path.read_text(encoding="utf-8").startswith('<!doctype html>\n<html lang="en">')


def test_a_failure_leaves_the_old_page_and_nothing_else(
    results: StudyResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(_: StudyResults) -> str:
        raise RuntimeError("half-way")

    monkeypatch.setattr(page_module, "page", fail)
    with pytest.raises(RuntimeError, match="half-way"):
        render(results, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
