"""The result.json beside an experiment: written, or compared with the one that stands there."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dtinterp.foundation.artefacts.artefact import JSON
from dtinterp.foundation.artefacts.writing import write_text
from dtinterp.foundation.errors import UserError

TOLERANCE = 1e-3
"""By which a number may differ on another machine, in units of itself where it is larger than 1."""


def write_result(path: Path, result: Mapping[str, JSON], *, replace: bool = False) -> None:
    """Write a result to the file `path`, whole or not at all.

    Raises `UserError` where it exists and `replace` is not given.
    """
    refuse_result(path, replace=replace)
    write_text(path, json.dumps(result, indent=1, allow_nan=False) + "\n")


def refuse_result(path: Path, *, replace: bool) -> None:
    """Raise `UserError` where `path` may not be written; called before the experiment is run, too."""
    if path.is_dir():
        raise UserError(f"{path} is a folder, expected a file's place: move it away.")
    if path.exists() and not replace:
        raise UserError(f"{path} exists already: give --replace to write it anew.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(f"{path} cannot be written, since {path.parent} is no writable folder: move the experiment.")


def differences(stored: JSON, result: Mapping[str, JSON]) -> list[str]:
    """Return the entries in which a stored result and another one differ, such as `restored/(0,5)/0`.

    Numbers differ beyond `TOLERANCE`. The report's digest is left out: it holds the last bits, too.
    """
    before, after = (dict(_entries(each)) for each in (stored, json.loads(json.dumps(result))))
    names = [name for name in {**before, **after} if name != "rests_on/report"]
    return [name for name in names if not (name in before and name in after and _alike(before[name], after[name]))]


def rounded(value: float) -> float | None:
    """Return six digits, which is more than float32 repeats on another machine; None for what is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _entries(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yield what a JSON value holds at its ends, each with the names that lead there."""
    match value:
        case Mapping():
            inside = list(value.items())
        case [*parts]:
            inside = [(str(place), part) for place, part in enumerate(parts)]
        case _:
            yield name, value
            return
    for key, part in inside:
        yield from _entries(part, f"{name}/{key}" if name else key)


def _alike(one: object, other: object) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= TOLERANCE * max(1.0, abs(one))
    return one == other
