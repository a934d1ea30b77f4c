"""Certificates, comparisons, explanations and screenings that ship become the tables of docs/equivalence.md.

    python docs/equivalence.py

A table stays as it is where no artefact holds what it shows.
"""

from pathlib import Path

import certified_tables
import compared_tables
import explained_tables
import screened_tables
from equivalence_shelf import Shelf, open_shelf
from markers import with_table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "equivalence.md"


def page() -> str:
    """Return docs/equivalence.md with all tables."""
    text = PAGE.read_text(encoding="utf-8")
    for name, table in tables(open_shelf(ROOT)).items():
        if table is not None:
            text = with_table(text, name, "equivalence.py", table)
    return text


def tables(shelf: Shelf) -> dict[str, str | None]:
    """Return the tables by name; None for one that no artefact holds."""
    return {
        "beliefs": compared_tables.beliefs(shelf),
        "certificates": certified_tables.certificates(shelf.certificates),
        "reachable swaps": certified_tables.reachable(shelf.certificates),
        "starts": certified_tables.starts(shelf.starts),
        "plays": certified_tables.plays(shelf.plays),
        "acting": certified_tables.acting(shelf.certificates),
        "drawn actions": certified_tables.drawn(shelf.certificates),
        "truth": compared_tables.truth(shelf),
        "kinships": compared_tables.kinships(shelf),
        "distractions": compared_tables.distractions(shelf),
        "mirror": compared_tables.mirror(shelf),
        "pairs": explained_tables.pairs(shelf.pairs),
        "prediction": explained_tables.prediction(shelf.explanations),
        "learned": explained_tables.learned(shelf.explanations),
        "published": compared_tables.published(shelf),
        "screening": screened_tables.screening(shelf.screenings, shelf.measured.get("world", {})),
        "growth": screened_tables.growth(shelf.measured),
    }


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
