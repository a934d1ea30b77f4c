"""Manifests: where an artefact came from, sealed beside it, and read back only if nobody changed it."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import Any

from dtinterp.foundation.artefacts.reading import JSON, parse_object
from dtinterp.foundation.errors import UserError

SCHEMA = 1
TENSORS = "tensors.safetensors"
TENSOR_FILES = "tensors*.safetensors"
"""The files that tensors are in: `TENSORS`, and `tensors.NAME.safetensors` for each tensor that was grown on disk."""
CONFIG = "config.json"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """Where an artefact came from."""

    kind: str
    schema: int
    files: Mapping[str, str]
    """sha256 of the config and of each file of tensors"""
    parents: Mapping[str, str]
    """digest of each parent artefact, by kind and name"""
    seed: int
    code: str
    """version of dtinterp that wrote it"""
    packages: Mapping[str, str]
    device: str
    metrics: Mapping[str, JSON]

    @cached_property
    def digest(self) -> str:
        """The sha256 that children record, and the file itself: it covers the files, their parents and the metrics."""
        return sha256(as_json(asdict(self)))


def seal(manifest: Manifest) -> bytes:
    """Return the file: the fields and their digest."""
    return as_json({**asdict(manifest), "digest": manifest.digest})


def parse_manifest(text: bytes, folder: Path, *, kinds: Sequence[str]) -> Manifest:
    """Return the manifest of a folder that is expected to hold an artefact of the first of `kinds`, or its older names.

    Raises `UserError` where the text is damaged, or of another schema or kind.
    """
    file = folder / MANIFEST
    entries = parse_object(text, str(file))
    schema = entries.get("schema")
    if schema != SCHEMA:
        raise UserError(f"{folder} has schema {schema}, expected {SCHEMA}: make it again with this version.")
    digest = entries.pop("digest", None)
    if digest != sha256(as_json(entries)) or not _is_complete(entries):
        raise UserError(
            f"{file} is damaged (its hash differs from the one it records): restore it, or make the artefact again."
        )
    if entries["kind"] not in kinds:
        raise UserError(
            f"{folder} is of kind {entries['kind']}, expected {kinds[0]}: give the path of one of that kind."
        )
    return Manifest(**entries)


def is_part(name: str) -> bool:
    """Whether an artefact may have a file of this name."""
    return name in (CONFIG, MANIFEST) or fnmatchcase(name, TENSOR_FILES)


def sha256(data: bytes) -> str:
    """Return the hash in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(file: Path) -> str:
    """Return the hash of a file's content, which is never in memory as a whole."""
    with file.open("rb") as content:
        return sha256_of(content)


def sha256_of(content: BufferedReader) -> str:
    """Return the hash of what an open file holds from its begin, which is never in memory as a whole."""
    content.seek(0)
    return hashlib.file_digest(content, "sha256").hexdigest()


def finite(values: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the values with null for every NaN and infinity, however deep: JSON has no words for them."""
    return {name: _finite(value) for name, value in values.items()}


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {name: _finite(part) for name, part in value.items()}
        case list() | tuple():
            return [_finite(part) for part in value]
    return value


def as_json(value: object) -> bytes:
    """Return the one way in which artefacts write a value: equal values are equal bytes.

    NaN stays, or the hashes of artefacts from before `finite` would not be found again.
    """
    return json.dumps(value, indent=1, sort_keys=True).encode()


def _is_complete(entries: Mapping[str, JSON]) -> bool:
    """Whether these are a manifest's fields, each of its type, and name only files that an artefact may have."""
    return (
        entries.keys() == {field.name for field in fields(Manifest)}
        and all(isinstance(entries[name], str) for name in ("kind", "code", "device"))
        and isinstance(entries["seed"], int)
        and isinstance(entries["metrics"], Mapping)
        and all(_is_of_texts(entries[name]) for name in ("files", "parents", "packages"))
        and _are_parts(entries["files"])
    )


def _is_of_texts(value: JSON) -> bool:
    return isinstance(value, Mapping) and all(isinstance(part, str) for part in value.values())


def _are_parts(files: JSON) -> bool:
    """Whether the names are those of an artefact's files, with those that it must have."""
    return (
        isinstance(files, Mapping)
        and files.keys() >= {CONFIG, TENSORS}
        and MANIFEST not in files
        and all(is_part(name) and "/" not in name for name in files)
    )
