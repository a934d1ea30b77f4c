"""Numbers as cells, and data frames of cells as Markdown."""

import re
from collections.abc import Mapping

import pandas as pd

from dtinterp.foundation.statistics import Interval

NUMBER = re.compile(r"\**[-–+]?\d|–?$")


def written(number: float, digits: int) -> str:
    """Write a number; what rounds to zero has no sign."""
    return f"{round(number, digits) + 0.0:.{digits}f}"


def interval(found: Interval | Mapping | None, *, digits: int = 2) -> str:
    """Write `0.95 [0.94, 0.96]`, of an interval or its fields; nothing where there is none."""
    if found is None:
        return ""
    known = found if isinstance(found, Interval) else Interval(**found)
    estimate, low, high = (written(each, digits) for each in (known.estimate, known.low, known.high))
    return f"{estimate} [{low}, {high}]"


def share(found: Interval, *, digits: int = 0) -> str:
    """Write `95% [94%, 96%]`."""
    estimate, low, high = (f"{each:.{digits}%}" for each in (found.estimate, found.low, found.high))
    return f"{estimate} [{low}, {high}]"


def side_by_side(columns: Mapping[str, Mapping[str, str]], *, of: str = "") -> pd.DataFrame:
    """Return a table with a column for each key, whose rows are named in a first column headed `of`."""
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    cells = {head: [column.get(name, "") for name in names] for head, column in columns.items()}
    return pd.DataFrame({of: names, **cells})


def markdown(table: pd.DataFrame) -> str:
    """Return the table in Markdown, with columns of numbers on the right; a line that says so where it has no rows."""
    if table.empty:
        return "Nothing that ships has any.\n"
    cells = table.fillna("").astype(str)
    rules = ["---:" if all(NUMBER.match(cell) for cell in cells[head]) else "---" for head in cells]
    rows = (cells.columns, *cells.itertuples(index=False, name=None))
    head, *body = (f"| {' | '.join(row)} |\n" for row in rows)
    return "".join((head, f"|{'|'.join(rules)}|\n", *body))
