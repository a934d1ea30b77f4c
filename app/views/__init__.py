"""The pages of the dashboard: one module each, found by its `VIEW`."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules


@dataclass(frozen=True)
class View:
    """One page."""

    title: str
    order: int
    """its place among the pages; the first one opens"""
    icon: str
    """such as `:material/compare:`"""
    show: Callable[[], None]


def found_views() -> list[tuple[str, View]]:
    """Return the pages in their order, each with the name of its module, which is its address."""
    found = [(each.name, import_module(f"{__name__}.{each.name}").VIEW) for each in iter_modules(__path__)]
    return sorted(found, key=lambda named: named[1].order)
