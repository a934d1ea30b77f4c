"""The templates that hold the report's sentences, and how they write what Python hands over.

All text is escaped, and a name that a template asks for and nobody gave is an error. A table's cells may be intervals,
which are written with their range.
"""

import json
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.foundation.statistics import Interval
from dtinterp.report import words
from dtinterp.report.style import CONFIG

TEMPLATES = Path(__file__).with_name("templates")
LOADER = FileSystemLoader(TEMPLATES)
"""Its `searchpath` is where templates are looked for."""


def render(template: str, **given: object) -> Markup:
    """Return what a template makes of the values given."""
    return Markup(ENVIRONMENT.get_template(template).render(given))


def caveats(report: EquivalenceReport) -> tuple[Markup, ...]:
    """Return what a reader must know before the classes of a certificate, in sentences."""
    return tuple(Markup(line) for line in render("caveats.html", report=report).splitlines() if line)


def written(value: object) -> str:
    """Return a table's cell as text: numbers to three digits, None as a dash."""
    match value:
        case None:
            return "–"
        case bool() | np.bool_():
            return "yes" if value else "no"
        case Integral():
            return words.count(int(value))
        case Real():
            return f"{float(value):.3g}"
        case _:
            return str(value)


def drawn(figure: go.Figure, name: str) -> Markup:
    """Return a figure as a `div` of id `figure-name` and the script that draws it, for a page that has plotly.js."""
    return Markup(figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG, div_id=f"figure-{name}"))


def _is_numeric(value: object) -> bool:
    return isinstance(value, Interval | Real) or value is None


def _three_digits(estimate: float) -> int:
    """Return how many decimals leave three significant digits, and at most three decimals."""
    return 1 if abs(estimate) >= 10 else 2 if abs(estimate) >= 1 else 3


ENVIRONMENT = Environment(
    loader=LOADER, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
ENVIRONMENT.filters.update(
    as_json=lambda value: json.dumps(value, indent=1, sort_keys=True),
    bits=words.bits,
    count=words.count,
    decimal=words.decimal,
    digits=_three_digits,
    drawn=drawn,
    f=format,
    loss=words.loss,
    plural=words.plural,
    shown_path=words.shown_path,
    upper_first=lambda text: text[:1].upper() + text[1:],
    verb=words.verb,
    written=written,
)
ENVIRONMENT.tests.update(
    interval=lambda value: isinstance(value, Interval),
    numeric=_is_numeric,
)
