"""Numbers as a reader meets them: decimals, counts, divergences, losses and paths."""

from pathlib import Path

import numpy as np

from dtinterp.equivalence.behaviour.quotient import NO_LOSS

LEAST_DIVERGENCE = 1e-6
"""Bits below which a divergence is rounding."""
LEAST_LOSS = 5e-4
"""Return below which a loss has no digit to show."""
NOTHING = "nothing"


def count(value: int) -> str:
    """Return an integer with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def bits(value: float) -> str:
    """Return a divergence to two significant digits, written out; below a millionth it is only said to be there."""
    if 0 < value < LEAST_DIVERGENCE:
        return "below 0.000001 bits"
    return f"{np.format_float_positional(value, precision=2, fractional=False, trim='-')} bits"


def decimal(value: float, digits: int) -> str:
    """Return a number with so many decimals, a true minus sign, and no minus before zero."""
    written = f"{value:.{digits}f}"
    return written.lstrip("-") if float(written) == 0 else written.replace("-", "−")


def loss(lost: float) -> str:
    """Return a loss of return to three digits, or `NOTHING`."""
    if lost < NO_LOSS:
        return NOTHING
    return f"{lost:.3f}" if lost >= LEAST_LOSS else "less than 0.001"


def plural(n: int, one: str, many: str | None = None) -> str:
    """Return `1 class` or `3 classes`."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def verb(n: int, one: str, many: str) -> str:
    """Return the form of a verb that goes with `n` things."""
    return one if n == 1 else many


def shown_path(path: Path) -> str:
    """Return a path below the working folder as it stands there, any other one by its last three parts."""
    resolved = path.resolve()
    if resolved.is_relative_to(Path.cwd()):
        return str(resolved.relative_to(Path.cwd()))
    return str(Path("…", *resolved.parts[-3:]))
