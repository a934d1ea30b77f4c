"""Kinds of dictionaries, one file each, with everything that is a kind's own; a new file in a folder is a new kind."""

from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules
from typing import TYPE_CHECKING, TypeAlias, Union

from dtinterp.dictionary.kinds.computed import ComputedKind
from dtinterp.dictionary.kinds.learned import LearnedKind


def _kinds_in(folder: str) -> tuple[type[LearnedKind] | type[ComputedKind], ...]:
    """Return the kinds that the modules of a folder define, module by module."""
    package = import_module(f"{__name__}.{folder}")
    modules = [import_module(f"{package.__name__}.{each.name}") for each in iter_modules(package.__path__)]
    return tuple(
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, LearnedKind | ComputedKind)
        and each.__module__ == module.__name__
        and not isabstract(each)
    )


AUTOENCODERS = _kinds_in("autoencoders")
BASELINES = _kinds_in("baselines")
MAP_KINDS = _kinds_in("maps")

if TYPE_CHECKING:
    Kind: TypeAlias = LearnedKind | ComputedKind
    MapKind: TypeAlias = LearnedKind | ComputedKind
else:
    Kind = Union[*AUTOENCODERS, *BASELINES]
    """What a dictionary may be, as the command line offers it."""
    MapKind = Union[*MAP_KINDS]
    """What a map may be."""
