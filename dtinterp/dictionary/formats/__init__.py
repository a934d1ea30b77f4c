"""Formats of other libraries, one file each; a file with `NAME`, `FILES`, `recognises` and `read` is a format."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.foundation.errors import UserError

_MODULES = [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)]
FORMATS = tuple(each for each in _MODULES if hasattr(each, "recognises"))


def read_foreign(folder: Path) -> Dictionary:
    """Read an autoencoder in whichever of the formats the folder is; its site is empty where the folder says none.

    Raises `UserError` where the folder is of none of them or damaged, and for what has no equal here.
    """
    found = next((each for each in FORMATS if each.recognises(folder)), None)
    if found is None:
        known = "; ".join(f"{each.FILES} ({each.NAME})" for each in FORMATS)
        raise UserError(f"{folder} holds no autoencoder, expected {known}: give the folder of one.")
    return found.read(folder)
