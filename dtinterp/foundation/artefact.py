"""A stage's results become a folder that is written once, and read back only if nothing in it changed."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

from safetensors.torch import load, save
from torch import Tensor

from dtinterp import __version__
from dtinterp.foundation.errors import UserError

SCHEMA = 1
TENSORS = "tensors.safetensors"
CONFIG = "config.json"
MANIFEST = "manifest.json"
RECORDED_PACKAGES = ("torch", "numpy", "minigrid", "gymnasium", "transformer-lens", "scikit-learn")

JSON: TypeAlias = None | bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"]


@dataclass(frozen=True)
class Manifest:
    """Where an artefact came from."""

    kind: str
    schema: int
    files: Mapping[str, str]
    """sha256 of each file"""
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
        """The sha256 that children record: it covers the files, their parents and the metrics."""
        return hashlib.sha256(_dump(asdict(self)).encode()).hexdigest()


@dataclass(frozen=True)
class Content:
    """What a stage made: settings as JSON, arrays as tensors, measurements as JSON."""

    kind: str
    config: Mapping[str, JSON]
    tensors: Mapping[str, Tensor]
    metrics: Mapping[str, JSON]


@dataclass(frozen=True)
class Artefact:
    """A folder `{config.json, tensors.safetensors, manifest.json}` whose hashes were checked."""

    path: Path
    config: Mapping[str, JSON]
    tensors: Mapping[str, Tensor]
    manifest: Manifest

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name


def write_artefact(
    path: Path,
    content: Content,
    *,
    parents: Sequence[Artefact],
    seed: int,
    replace: bool = False,
    device: str = "cpu",
) -> Artefact:
    """Write `content` to the folder `path` and return it as read back.

    The folder is filled under a temporary name on the same file system, synced and renamed into place: it is there whole or
    not at all. Raises `UserError` where `path` exists and `replace` is not given.
    """
    refuse_existing(path, replace=replace)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        _fill(draft, content, parents=parents, seed=seed, device=device)
        _rename(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return read_artefact(path, kind=content.kind)


def read_artefact(path: Path, *, kind: str, parent: Artefact | None = None) -> Artefact:
    """Read the artefact of `kind` at `path` and check every hash.

    With `parent`, also check that it was made from just that artefact. Raises `UserError` where it is missing, damaged, of another
    kind, schema or parent.
    """
    manifest = _read_manifest(path, kind)
    contents = {name: _read_checked(path / name, digest) for name, digest in manifest.files.items()}
    if parent is not None and parent.manifest.digest not in manifest.parents.values():
        raise UserError(
            f"{path} was not made from {parent.path} (it records {_listed(manifest.parents)}): make it again from that parent."
        )
    return Artefact(path, json.loads(contents[CONFIG]), load(contents[TENSORS]), manifest)


def refuse_existing(path: Path, *, replace: bool) -> None:
    """Raise `UserError` where `path` exists and may not be replaced; called before hours of work, too."""
    if path.exists() and not replace:
        raise UserError(f"{path} exists already: give another --out, or --replace to write it anew.")


def log_beside(path: Path, *, fresh: bool) -> Path:
    """Return the JSONL log that stands beside the artefact `path`; `fresh` begins it anew."""
    log = path.with_name(f"{path.name}.jsonl")
    if fresh:
        log.unlink(missing_ok=True)
    return log


def _fill(folder: Path, content: Content, *, parents: Sequence[Artefact], seed: int, device: str) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in content.tensors.items()}
    files = {CONFIG: _dump(content.config).encode(), TENSORS: save(tensors)}
    manifest = Manifest(
        kind=content.kind,
        schema=SCHEMA,
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        parents={f"{parent.manifest.kind}/{parent.name}": parent.manifest.digest for parent in parents},
        seed=seed,
        code=__version__,
        packages={name: version(name) for name in RECORDED_PACKAGES},
        device=device,
        metrics=content.metrics,
    )
    for name, data in {**files, MANIFEST: _dump(asdict(manifest)).encode()}.items():
        _write_synced(folder / name, data)


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _rename(draft: Path, path: Path) -> None:
    """Put `draft` in place of `path`; an old folder stays whole until the new one stands beside it."""
    draft.chmod(0o755)
    retired = path.with_name(f".{path.name}.retired")
    if path.exists():
        path.rename(retired)
    draft.rename(path)
    shutil.rmtree(retired, ignore_errors=True)


def _read_manifest(path: Path, kind: str) -> Manifest:
    file = path / MANIFEST
    if not file.is_file():
        raise UserError(f"{path} holds no {kind} (there is no {MANIFEST} in it): check the path, or make it first.")
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise UserError(f"{file} is damaged (it is not JSON): make the artefact again.") from None
    if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
        found = fields.get("schema") if isinstance(fields, dict) else fields
        raise UserError(f"{path} has schema {found}, this version reads schema {SCHEMA}: make it again with this version.")
    if fields["kind"] != kind:
        raise UserError(f"{path} holds a {fields['kind']}, expected a {kind}: give the path of a {kind}.")
    return Manifest(**fields)


def _read_checked(file: Path, digest: str) -> bytes:
    if not file.is_file():
        raise UserError(f"{file} is missing: restore it, or make the artefact again.")
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise UserError(f"{file} is damaged (its hash differs from the manifest's): restore it, or make the artefact again.")
    return data


def _dump(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True)


def _listed(parents: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {digest[:12]}" for name, digest in parents.items()) or "no parent"
