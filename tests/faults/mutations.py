"""A valid file or folder becomes a damaged or hostile one, by a seeded generator."""

import json
import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

from tests.faults.array_mutations import Change, changes_of, sealed_again

Files: TypeAlias = Mapping[str, bytes]
"""The content of a file or folder, by path inside it; that of a file itself has the name of the file."""

DEEP = 200_000
"""Brackets inside each other."""
STRANGE: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    -1,
    0,
    2**63,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    True,
    "x" * 100_000,
    "a\nb\x1b[31m\x00",
    "../../../etc/passwd",
    [[[]]],
    {"a": None},
    -0.5,
)


@dataclass(frozen=True)
class Mutated:
    """What to put in place of a valid input."""

    files: Files
    how: str
    special: Callable[[Path], None] | None = None
    """what no content can say: makes a pipe, a folder or a dangling link of the path that it is given"""
    at: str = ""
    """the file that `special` is about"""


def mutated(files: Files, rng: random.Random) -> Mutated:
    """Return one mutation of the files, drawn by the generator; most are of one file, with its format in mind."""
    name = rng.choice(sorted(files))
    content = files[name]
    kinds = [_bytewise, _bytewise, _special]
    if name.endswith((".json", ".yaml")) or content[:1] in (b"{", b"["):
        kinds += [_of_json] * 5
    if name.endswith(".yaml"):
        kinds += [_of_yaml] * 4
    kinds += [partial(_of_arrays, change) for change in changes_of(name)]
    found = rng.choice(kinds)(files, name, rng)
    if found.special is None and rng.random() < 0.8:
        return Mutated(resealed(found.files), f"{found.how}, sealed again")
    return found


def resealed(files: Files) -> Files:
    """Return files whose hashes are right, where they record any and can be read at all."""
    files = {
        name: sealed_again(content) if name.endswith(".safetensors") else content for name, content in files.items()
    }
    try:
        manifest = json.loads(files["manifest.json"])
        named = manifest["files"]
        manifest["files"] = {name: sha256(files[name]).hexdigest() for name in named if name in files}
    except (ValueError, KeyError, TypeError, RecursionError):
        return files
    manifest.pop("digest", None)
    manifest["digest"] = sha256(json.dumps(manifest, indent=1, sort_keys=True).encode()).hexdigest()
    return {**files, "manifest.json": json.dumps(manifest, indent=1, sort_keys=True).encode()}


def _of_arrays(change: Change, files: Files, name: str, rng: random.Random) -> Mutated:
    content, how = change(files[name], rng)
    return Mutated({**files, name: content}, f"{name}: {how}")


def _bytewise(files: Files, name: str, rng: random.Random) -> Mutated:
    content = bytearray(files[name])
    place = rng.randrange(len(content) + 1)
    end = min(len(content), place + rng.choice((1, 4, 64, 4096)))
    match rng.randrange(6):
        case 0 if content:
            place = rng.randrange(len(content))
            content[place] ^= 1 << rng.randrange(8)
            how = f"bit of byte {place} flipped"
        case 1:
            del content[place:]
            how = f"cut at {place}"
        case 2:
            content[place:place] = rng.randbytes(rng.choice((1, 8, 1000)))
            how = f"bytes inserted at {place}"
        case 3:
            content[place:end] = bytes(end - place)
            how = f"zeros from {place} to {end}"
        case 4:
            content[place:end] = rng.randbytes(end - place)
            how = f"noise from {place} to {end}"
        case _:
            content[:] = rng.choice((b"", b"\xff" * 1000, b"\x80\x04.", b"PK\x03\x04", b"null", b"[]", b"0" * 5000))
            how = f"{bytes(content[:8])!r} instead"
    return Mutated({**files, name: bytes(content)}, f"{name}: {how}")


def _special(files: Files, name: str, rng: random.Random) -> Mutated:
    kinds = {
        "a folder": Path.mkdir,
        "a pipe": os.mkfifo,
        "a dangling link": partial(_linked, "nowhere"),
        "a link to itself": partial(_linked, Path(name).name),
        "a link to a device": partial(_linked, "/dev/zero"),
        "nothing": _left_out,
    }
    how = rng.choice(sorted(kinds))
    rest = {other: content for other, content in files.items() if other != name}
    return Mutated(rest, f"{name}: {how} in its place", kinds[how], name)


def _linked(target: str, path: Path) -> None:
    path.symlink_to(target)


def _left_out(path: Path) -> None:
    assert not path.exists()


def _of_json(files: Files, name: str, rng: random.Random) -> Mutated:
    if rng.random() < 0.08:
        opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
        text = opening * DEEP + "1" + closing * DEEP
        return Mutated({**files, name: text.encode()}, f"{name}: {DEEP} levels")
    try:
        value = _loaded(files[name], name)
    except ValueError:
        return _bytewise(files, name, rng)
    places = list(_places(value))
    if not places:
        return _bytewise(files, name, rng)
    place = rng.choice(places)
    parent = _at(value, place[:-1])
    match rng.randrange(8):
        case 0:
            del parent[place[-1]]
            how = "removed"
        case 1 if isinstance(parent, dict):
            parent["stranger"] = rng.choice(STRANGE)
            how = "beside a stranger"
        case 2 if isinstance(parent, dict):
            parent[rng.choice(("x" * 100_000, "a\nb\x1b[31m", ""))] = parent.pop(place[-1])
            how = "renamed"
        case 3:
            parent[place[-1]] = _neighbour(value, places, rng)
            how = "with another's value"
        case _:
            strange = rng.choice(STRANGE)
            parent[place[-1]] = strange
            how = f"is {str(strange)[:20]!r}"
    return Mutated({**files, name: json.dumps(value).encode()}, f"{name}: {'.'.join(map(str, place))[:80]} {how}")


def _neighbour(value: Any, places: list[tuple[Any, ...]], rng: random.Random) -> Any:
    return json.loads(json.dumps(_at(value, rng.choice(places))))


def _loaded(content: bytes, name: str) -> Any:
    if name.endswith(".yaml"):
        import yaml

        return yaml.safe_load(content)
    return json.loads(content)


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value inside; of long lists only to the first and the last."""
    match value:
        case dict():
            parts: Any = value.items()
        case list():
            parts = [(index, value[index]) for index in sorted({0, len(value) - 1}) if value]
        case _:
            return
    for key, part in parts:
        yield (*place, key)
        yield from _places(part, (*place, key))


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def _of_yaml(files: Files, name: str, rng: random.Random) -> Mutated:
    aliases = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{one}: &{one} [{', '.join([f'*{other}'] * 9)}]\n" for other, one in zip("abcdefgh", "bcdefghi", strict=True)
    )
    texts = {
        "aliases": aliases.encode(),
        "flow lists": b"a: " + b"[" * DEEP,
        "flow mappings": b"{a: " * 20_000,
        "a tag": files[name] + b"\nseed: !!python/object/apply:os.system ['true']\n",
        "a time": files[name] + b"\nseed: 2001-01-01\n",
        "a set": b"? a\n? b\n",
        "keys of all sorts": b"1: 2\n? [1, 2]\n: 3\nnull: 1\n2001-01-01: 1\n",
        "two documents": files[name] + b"\n---\n" + files[name],
        "a merge": b"<<: [1, 2]\n" + files[name],
        "a tab": b"\t" + files[name],
        "a mark": b"\xff\xfe" + files[name],
        "a long scalar": b"a: " + b"x" * 200_000,
    }
    how = rng.choice(sorted(texts))
    return Mutated({**files, name: texts[how]}, f"{name}: {how}")
