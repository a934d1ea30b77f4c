"""Pieces of content become the parts of a page: sections, captioned figures, tables."""

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
import pandas as pd

from dtinterp.foundation.statistics import Interval
from dtinterp.report.evidence import count, number
from dtinterp.report.html import Content, Html, element, join, words


def section(name: str, title: str, *content: Content) -> Html:
    """Return a numbered section (the style sheet counts) that `#name` leads to."""
    return element("section", element("h2", title), *content, id=name)


def paragraph(*parts: Content) -> Html:
    """Return a paragraph of text and markup."""
    return element("p", words(*parts))


def figure_block(content: Html, caption: Content, *, source: Html) -> Html:
    """Return content with a numbered caption below it that ends in its source."""
    return element("figure", content, element("figcaption", caption, " ", source))


def table_block(table: Html, caption: Content, *, source: Content = "") -> Html:
    """Return a table with a numbered caption above it."""
    head = element("figcaption", caption, " ", source)
    return element("figure", head, element("div", table, class_="scroll"), class_="table")


def table_html(frame: pd.DataFrame) -> Html:
    """Return a table: intervals with their range, numbers to three digits, None as a dash, markup as it is."""
    columns = list(frame.columns)
    is_numeric = [_is_number(frame[column].iloc[0]) if len(frame) else False for column in columns]
    head = join(
        element("th", _headed(column), scope="col", class_=_class(right))
        for column, right in zip(columns, is_numeric, strict=True)
    )
    rows = [_row(values, is_numeric) for values in frame.itertuples(index=False, name=None)]
    return element("table", element("thead", element("tr", head)), element("tbody", join(rows)))


def column(cells: Sequence[Html]) -> pd.Series:
    """Return markup as a column of a table that pandas leaves as it is."""
    return pd.Series(list(cells), dtype=object)


def details(summary: Content, *content: Content) -> Html:
    """Return content that is folded away below its summary."""
    return element("details", element("summary", summary), *content)


def listing(entries: Sequence[Content], *, class_: str | None = None) -> Html:
    """Return a list of bullets."""
    return element("ul", join(element("li", entry) for entry in entries), class_=class_)


def _row(values: Sequence[object], is_numeric: Sequence[bool]) -> Html:
    cells = [element("td", _cell(value), class_=_class(right)) for value, right in zip(values, is_numeric, strict=True)]
    return element("tr", join(cells))


def _cell(value: object) -> Content:
    match value:
        case Html():
            return value
        case None:
            return "–"
        case Interval():
            return number(value, _digits(value.estimate))
        case bool() | np.bool_():
            return "yes" if value else "no"
        case Integral():
            return count(int(value))
        case Real():
            return f"{float(value):.3g}"
        case _:
            return str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, Interval | Real) or value is None


def _digits(estimate: float) -> int:
    """Return how many decimals leave three significant digits, and at most three decimals."""
    return 1 if abs(estimate) >= 10 else 2 if abs(estimate) >= 1 else 3


def _class(is_right: bool) -> str | None:
    return "right" if is_right else None


def _headed(column: object) -> Html:
    """Return a column's name, what stands in brackets smaller."""
    name, _, rest = str(column).partition(" (")
    return words(name, element("small", f" {rest.rstrip(')')}")) if rest else words(name)
