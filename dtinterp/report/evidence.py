"""Numbers become words that lead to the manifest they come from."""

from pathlib import Path

import numpy as np

from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.statistics import Interval
from dtinterp.report.html import Content, Html, element, words

SHORT = 10
"""Digits of a digest that are shown; a page has too few artefacts for two to share them."""
SMALLEST = 1e-6
"""Bits below which a divergence is rounding."""


def short_digest(artefact: Artefact) -> str:
    """Return the first digits of the manifest's digest."""
    return artefact.manifest.digest[:SHORT]


def anchor(artefact: Artefact) -> str:
    """Return the id of an artefact's entry under Provenance."""
    return f"artefact-{short_digest(artefact)}"


def label(artefact: Artefact) -> str:
    """Return what an artefact is called: its kind and its folder's name."""
    return f"{artefact.manifest.kind}/{artefact.name}"


def cite(text: Content, artefact: Artefact) -> Html:
    """Make `text` a link to the artefact that it was read from."""
    title = f"{label(artefact)} · {short_digest(artefact)}"
    return element("a", text, href=f"#{anchor(artefact)}", class_="cited", title=title)


def source(artefact: Artefact) -> Html:
    """Return the line under a figure or table that says where its numbers come from."""
    link = cite(words(label(artefact), " ", element("code", short_digest(artefact))), artefact)
    return element("span", "Source: ", link, class_="source")


def number(interval: Interval, digits: int = 2) -> Html:
    """Return `0.62 [0.55, 0.70]`."""
    return _with_range(
        decimal(interval.estimate, digits),
        f"{decimal(interval.low, digits)}, {decimal(interval.high, digits)}",
        interval.n,
    )


def percentage(interval: Interval, digits: int = 1) -> Html:
    """Return `97.3% [96.1, 98.2]`."""
    low, high = 100 * interval.low, 100 * interval.high
    return _with_range(f"{100 * interval.estimate:.{digits}f}%", f"{low:.{digits}f}, {high:.{digits}f}", interval.n)


def count(value: int) -> str:
    """Return an integer with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def bits(value: float) -> str:
    """Return a divergence to two significant digits, written out; below a millionth it is only said to be there."""
    if 0 < value < SMALLEST:
        return "below 0.000001 bits"
    return f"{np.format_float_positional(value, precision=2, fractional=False, trim='-')} bits"


def decimal(value: float, digits: int) -> str:
    """Return a number with so many decimals, a true minus sign, and no minus before zero."""
    written = f"{value:.{digits}f}"
    return written.lstrip("-") if float(written) == 0 else written.replace("-", "−")


def verb(n: int, one: str, many: str) -> str:
    """Return the form of a verb that goes with `n` things."""
    return one if n == 1 else many


def plural(n: int, one: str, many: str | None = None) -> str:
    """Return `1 class` or `3 classes`."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def shown_path(path: Path) -> str:
    """Return a path below the working folder as it stands there, any other one by its last three parts."""
    resolved = path.resolve()
    if resolved.is_relative_to(Path.cwd()):
        return str(resolved.relative_to(Path.cwd()))
    return str(Path("…", *resolved.parts[-3:]))


def _with_range(estimate: str, limits: str, n: int) -> Html:
    meaning = f"95% interval, n = {n}" if n else "bounds: it was computed, nothing was sampled"
    spread = element("span", f" [{limits}]", class_="range", title=meaning)
    return element("span", estimate, spread, class_="number")
