"""Formats of other libraries: each is one file, and one line of `FORMATS`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.formats import dictionary_learning, saelens, sparsify
from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class Format:
    """How a library writes an autoencoder."""

    name: str
    files: str
    """what lies in its folder, in words"""
    recognises: Callable[[Path], bool]
    read: Callable[[Path], Dictionary]
    """returns the dictionary; its site is empty where the folder does not say it in our words"""


FORMATS = (
    Format("SAELens", saelens.FILES, saelens.recognises, saelens.read),
    Format("sparsify", sparsify.FILES, sparsify.recognises, sparsify.read),
    Format("dictionary_learning", dictionary_learning.FILES, dictionary_learning.recognises, dictionary_learning.read),
)


def read_foreign(folder: Path) -> Dictionary:
    """Read an autoencoder in whichever of the formats the folder is; its site is empty where the folder says none.

    Raises `UserError` where the folder is of none of them or damaged, and for what has no equal here.
    """
    found = next((each for each in FORMATS if each.recognises(folder)), None)
    if found is None:
        known = "; ".join(f"{each.files} ({each.name})" for each in FORMATS)
        raise UserError(f"{folder} holds no autoencoder, expected {known}: give the folder of one.")
    return found.read(folder)
