"""Rows of cells become a table of a page, and numbers become cells."""

from collections.abc import Iterable, Sequence

from dtinterp.foundation.statistics import Interval


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, n_words: int = 1) -> str:
    """Return a table whose first columns are words and whose others are numbers."""
    rule = ["---"] * n_words + ["---:"] * (len(head) - n_words)
    lines = [f"| {' | '.join(cells)} |\n" for cells in (head, *rows)]
    return "".join([lines[0], f"|{'|'.join(rule)}|\n", *lines[1:]])


def written(number: float, digits: int) -> str:
    """Write a number; what rounds to zero has no sign."""
    return f"{round(number, digits) + 0.0:.{digits}f}"


def interval(found: Interval, *, digits: int = 2) -> str:
    """Write `0.95 [0.94, 0.96]`."""
    estimate, low, high = (written(each, digits) for each in (found.estimate, found.low, found.high))
    return f"{estimate} [{low}, {high}]"


def share(found: Interval, *, digits: int = 0) -> str:
    """Write `95% [94%, 96%]`."""
    estimate, low, high = (f"{each:.{digits}%}" for each in (found.estimate, found.low, found.high))
    return f"{estimate} [{low}, {high}]"
