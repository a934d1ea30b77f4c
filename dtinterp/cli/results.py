"""What a command made, as text for a reader or as one JSON object for a script."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from dtinterp.foundation.artefacts.artefact import Artefact


def as_text(made: object) -> str:
    """Return what a command made as text: a folder with its measurements, a file, or a list of facts."""
    match made:
        case Artefact():
            return "\n".join([f"{made.manifest.kind} written to {made.path}", *_lines(made.manifest.metrics, depth=1)])
        case Path():
            return f"written to {made}"
        case (only,):
            return as_text(only)
        case tuple():
            return "\n".join(as_text(each).splitlines()[0] for each in made)
        case Mapping():
            return "\n".join(_lines(made, depth=0))
        case _:
            return str(made)


def _lines(values: Mapping[str, object], *, depth: int) -> Iterator[str]:
    """Yield one line a value, what lies inside it indented; an interval is one value."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        match value:
            case {"estimate": estimate, "low": low, "high": high, "n": n}:
                yield f"{'  ' * depth}{name:<{width}}  {estimate:.4g} [{low:.4g}, {high:.4g}] n={n}"
            case Mapping():
                yield f"{'  ' * depth}{name}"
                yield from _lines(value, depth=depth + 1)
            case [{}, *_]:
                for index, part in enumerate(value):
                    yield from _lines({f"{name}[{index}]": part}, depth=depth)
            case _:
                yield f"{'  ' * depth}{name:<{width}}  {value}"


def as_json(made: object) -> str:
    """Return what a command made as one JSON object: an artefact's kind, folder, digest and measurements, unrounded.

    What is no number or infinite becomes null, since JSON has neither.
    """
    return json.dumps(_plain(_record(made)), allow_nan=False, ensure_ascii=False)


def _record(made: object) -> Mapping[str, object]:
    """Return what lies in a result, by name."""
    match made:
        case Artefact(path=path, manifest=manifest):
            return {"kind": manifest.kind, "path": path, "digest": manifest.digest, "metrics": manifest.metrics}
        case Path():
            return {"path": made}
        case (only,):
            return _record(only)
        case tuple():
            return {"results": [_record(each) for each in made]}
        case Mapping():
            return made
        case _:
            return {"result": made}


def _plain(value: object) -> object:
    """Return the value in what JSON has."""
    match value:
        case Mapping():
            return {str(name): _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case float() if not math.isfinite(value):
            return None
        case str() | int() | float() | None:
            return value
        case _:
            return str(value)
