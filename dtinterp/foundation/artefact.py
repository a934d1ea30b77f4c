"""A stage's results become a folder that is written once, and read back only if nothing in it changed."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from dtinterp import __version__
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.manifest import (
    CONFIG,
    JSON,
    MANIFEST,
    SCHEMA,
    TENSORS,
    Manifest,
    as_json,
    finite,
    is_part,
    read_manifest,
    seal,
    sha256_of_file,
)

RECORDED_PACKAGES = ("torch", "numpy", "minigrid", "gymnasium", "transformer-lens", "scikit-learn")


@dataclass(frozen=True)
class Content:
    """What a stage made: settings as JSON, arrays as tensors, measurements as JSON."""

    kind: str
    config: Mapping[str, JSON]
    tensors: Mapping[str, Tensor]
    metrics: Mapping[str, JSON]


@dataclass(frozen=True)
class Artefact:
    """A folder `{config.json, tensors*.safetensors, manifest.json}` whose hashes were checked.

    The tensors are mapped, not read: a page comes from the disk when it is looked at. The mapping is private, so what
    is written into a tensor never reaches the file.
    """

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

    The folder is filled under a temporary name on the same file system, synced, read back and renamed into place: it is
    there whole or not at all. NaN and infinity in settings and measurements are written as null. Raises `UserError`
    where `refuse_existing` does.
    """
    with drafted(path, replace=replace) as draft:
        return draft.finish(content, parents=parents, seed=seed, device=device)


@dataclass(frozen=True)
class Draft:
    """An artefact under way: a folder beside the place that it will have."""

    folder: Path
    """what was grown here under a name of `TENSOR_FILES` becomes part of the artefact"""
    path: Path

    def finish(self, content: Content, *, parents: Sequence[Artefact], seed: int, device: str = "cpu") -> Artefact:
        """Add `content`, seal the folder, read it back and rename it into place."""
        _fill(self.folder, content, parents=parents, seed=seed, device=device)
        written = read_artefact(self.folder, kind=content.kind)
        _put_in_place(self.folder, self.path)
        return replace(written, path=self.path)


@contextmanager
def drafted(path: Path, *, replace: bool = False) -> Iterator[Draft]:
    """Begin the artefact `path` under a temporary name on the same file system; unless it is finished, nothing stays.

    Raises `UserError` where `refuse_existing` does.
    """
    refuse_existing(path, replace=replace)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield Draft(folder, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_artefact(path: Path, *, kind: str, parent: Artefact | None = None) -> Artefact:
    """Read the artefact of `kind` at `path` and check every hash.

    With `parent`, also check that it was made from just that artefact. Raises `UserError` where it is missing, damaged,
    of another kind, schema or parent.
    """
    folder = _standing(path)
    manifest = read_manifest(folder, kind=kind)
    for name, digest in manifest.files.items():
        _require_undamaged(folder / name, digest)
    tensors = {}
    for name in sorted(manifest.files.keys() - {CONFIG}):
        tensors |= load_file(folder / name)
    artefact = Artefact(path, json.loads((folder / CONFIG).read_bytes()), tensors, manifest)
    if parent is not None:
        require_made_from(artefact, parent)
    return artefact


def require_made_from(artefact: Artefact, parent: Artefact) -> None:
    """Raise `UserError` where an artefact was not made from just that parent."""
    parents = artefact.manifest.parents
    if parent.manifest.digest not in parents.values():
        raise UserError(
            f"{artefact.path} was not made from {parent.path} (it records {_listed(parents)}): "
            "make it again from that parent."
        )


def refuse_existing(path: Path, *, replace: bool, beside: Sequence[str] = ()) -> None:
    """Raise `UserError` where `path` may not be written; called before hours of work, too.

    What exists is replaced only when asked, and only if it is an artefact or an empty folder: anything else is
    somebody's work. So are files whose names go on from its own with the endings `beside`, where it is not there.
    """
    standing = _standing(path)
    taken = [file for ending in beside if (file := path.with_name(f"{path.name}{ending}")).exists()]
    if taken and not standing.exists() and not replace:
        raise UserError(f"{taken[0]} exists already: give another --out, or --replace to write it anew.")
    if standing.exists() and not replace:
        raise UserError(f"{path} exists already: give another --out, or --replace to write it anew.")
    strangers = {name for name in _names_in(standing) if not is_part(name)}
    if strangers:
        raise UserError(f"{path} holds {min(strangers)}, which is no part of an artefact: give another --out.")
    ground = next(folder for folder in path.absolute().parents if folder.exists())
    if not ground.is_dir() or not os.access(ground, os.W_OK):
        raise UserError(f"{path} cannot be written, since {ground} is no writable folder: give another --out.")


def begin_log(path: Path, *, fresh: bool) -> Path:
    """Return the JSONL log of the work on the artefact `path`; `fresh` begins it anew.

    The log of an artefact that stands already stays beside it until `keep_log`.
    """
    log = path.with_name(f"{path.name}.unfinished.jsonl")
    if fresh:
        log.unlink(missing_ok=True)
    return log


def keep_log(path: Path) -> None:
    """Put the log of the finished artefact `path` beside it, as `NAME.jsonl`."""
    begin_log(path, fresh=False).replace(path.with_name(f"{path.name}.jsonl"))


def unfinished_beside(path: Path) -> Path:
    """Return the file that keeps an interrupted training whose artefact will stand at `path`."""
    return path.with_name(f"{path.name}.unfinished.safetensors")


def _fill(folder: Path, content: Content, *, parents: Sequence[Artefact], seed: int, device: str) -> None:
    (folder / CONFIG).write_bytes(as_json(finite(content.config)))
    (folder / TENSORS).write_bytes(save({name: _owned(tensor) for name, tensor in content.tensors.items()}))
    files = sorted(folder.iterdir())
    manifest = Manifest(
        kind=content.kind,
        schema=SCHEMA,
        files={file.name: sha256_of_file(file) for file in files},
        parents=_lineage(parents),
        seed=seed,
        code=__version__,
        packages={name: version(name) for name in RECORDED_PACKAGES},
        device=device,
        metrics=finite(content.metrics),
    )
    (folder / MANIFEST).write_bytes(seal(manifest))
    for file in (*files, folder / MANIFEST, folder):
        _sync(file)


def _owned(tensor: Tensor) -> Tensor:
    """Return a copy with memory of its own, as safetensors demands."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _lineage(parents: Sequence[Artefact]) -> dict[str, str]:
    """Return the digest of each parent by kind and name; namesakes are told apart by the start of their digest."""
    labels = [f"{parent.manifest.kind}/{parent.name}" for parent in parents]
    digests = [parent.manifest.digest for parent in parents]
    return {
        label if labels.count(label) == 1 else f"{label} {digest[:12]}": digest
        for label, digest in zip(labels, digests, strict=True)
    }


def _put_in_place(draft: Path, path: Path) -> None:
    """Rename `draft` to `path`; an old folder stands aside until the new one has its place."""
    draft.chmod(0o755)
    retired = _retired(path)
    if path.exists():
        shutil.rmtree(retired, ignore_errors=True)  # left where a replacement was interrupted at its very end
        path.rename(retired)
    try:
        draft.rename(path)
    finally:
        if retired.exists() and not path.exists():
            retired.rename(path)
    _sync(path.parent)
    shutil.rmtree(retired, ignore_errors=True)


def _retired(path: Path) -> Path:
    return path.parent / f".{path.name}.retired"


def _standing(path: Path) -> Path:
    """Return where the artefact of this name stands: aside, where its replacement was killed between two renames."""
    return _retired(path) if _retired(path).exists() and not path.exists() else path


def _names_in(path: Path) -> set[str]:
    """Return the names in a folder, that of a file itself, and none where there is neither."""
    if path.is_dir():
        return {child.name for child in path.iterdir()}
    return {path.name} if path.exists() else set()


def _sync(path: Path) -> None:
    """Wait until a file, or the list of the files in a folder, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _require_undamaged(file: Path, digest: str) -> None:
    if not file.is_file():
        raise UserError(f"{file} is missing: restore it, or make the artefact again.")
    if sha256_of_file(file) != digest:
        raise UserError(
            f"{file} is damaged (its hash differs from the manifest's): restore it, or make the artefact again."
        )


def _listed(parents: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {digest[:12]}" for name, digest in parents.items()) or "no parent"
