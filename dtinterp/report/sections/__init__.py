"""The sections of the page: one module each, found by its `SECTION`, and one template of the same name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from dtinterp.report.results import StudyResults


@dataclass(frozen=True)
class Section:
    """One part of the page, which `templates/{name}.html` writes."""

    name: str
    """of its template, and what links lead to"""
    title: str
    order: int
    """its place in the page"""
    shows: tuple[type, ...]
    """the kinds of artefact that it is about, by the types of their values; its template says `missing` without any"""
    gather: Callable[[StudyResults], Mapping[str, object]]
    """returns the numbers, tables and figures that the template is given beside the study"""


def found_sections() -> list[Section]:
    """Return the sections in the order of the page."""
    found = (import_module(f"{__name__}.{each.name}").SECTION for each in iter_modules(__path__))
    return sorted(found, key=lambda section: section.order)
