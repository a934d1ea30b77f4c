"""The small study, gathered as a report is given it, and sections of its page."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from markupsafe import Markup

from dtinterp.commands.report import Sources, load_results
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.report.opening import opening
from dtinterp.report.page import section_body
from dtinterp.report.rendering import ENVIRONMENT, render
from dtinterp.report.results import Result, StudyResults
from dtinterp.report.sections import found_sections

T = TypeVar("T")


@pytest.fixture(scope="session")
def results(small_study: Path) -> StudyResults:
    sources = Sources(
        agent=small_study / "agents" / "wanderer",
        demonstrations=small_study / "demonstrations" / "walks",
        model=small_study / "models" / "novice",
        dictionaries=(small_study / "dictionaries" / "pca-4", small_study / "dictionaries" / "topk-512-k4"),
        features=(small_study / "features" / "topk-512-k4",),
        labels=(small_study / "labels" / "topk-512-k4",),
        comparison=small_study / "comparisons" / "novice",
        equivalence=small_study / "equivalence" / "novice",
        agreement=small_study / "agreements" / "novice",
        pairs=(small_study / "pairs" / "novice",),
        explained=small_study / "explanations" / "novice",
        intervention=small_study / "interventions" / "flip",
        command="dtinterp study --model small",
        seconds={"equivalence": 1.5, "flip": 2.0},
    )
    return load_results(sources)


@pytest.fixture(scope="session")
def report(results: StudyResults) -> EquivalenceReport:
    return results.equivalence.value


def section_of(name: str, results: StudyResults) -> str:
    """Return a section of the page, its frames as `<frame 3>`, every run of white space as one blank."""
    section = next(each for each in found_sections() if each.name == name)
    return in_one_line(section_body(section, results, draw)).strip()


def head_of(results: StudyResults) -> str:
    """Return the head of the page."""
    return in_one_line(render("opening.html", study=results, draw=draw, **opening(results)))


def piece(source: str, **given: object) -> str:
    """Return what a template of these words makes, which has all pieces."""
    names = "cite, grid, head, number, percentage, rows, source, table"
    start = '{% from "pieces.html" import ' + names + " with context %}"
    return ENVIRONMENT.from_string(start + source).render(given)


def draw(frame: int) -> Markup:
    return Markup(f"<frame {frame}>")


def in_one_line(markup: str) -> str:
    return re.sub(r"[ \n]+", " ", markup)


def without(results: StudyResults, *kinds: type) -> StudyResults:
    """Return the study without its results of these types."""
    return replace(results, opened=[each for each in results.opened if not isinstance(each.value, kinds)])


def changed(results: StudyResults, kind: type[T], change: Callable[[T], T]) -> StudyResults:
    """Return the study with its results of a type changed."""
    opened = [
        Result(change(each.value), each.artefact) if isinstance(each.value, kind) else each for each in results.opened
    ]
    return replace(results, opened=opened)


def planted(results: StudyResults, value: object) -> StudyResults:
    """Return the study with another value in the place of that of its type."""
    kind = next(
        type(one.value) for one in results.opened if one.value is not None and isinstance(value, type(one.value))
    )
    return changed(results, kind, lambda _: value)


def with_manifest(results: StudyResults, kind: str, **changes: object) -> StudyResults:
    """Return the study with the manifest of its artefact of a kind changed."""

    def rewritten(artefact: Artefact) -> Artefact:
        return replace(artefact, manifest=replace(artefact.manifest, **changes))

    opened = [
        Result(each.value, rewritten(each.artefact)) if each.artefact.manifest.kind == kind else each
        for each in results.opened
    ]
    return replace(results, opened=opened)


def only(results: StudyResults, kind: type[T]) -> T:
    """Return the value of the study's first result of a type."""
    found = results.first(kind)
    assert found is not None
    return found.value
