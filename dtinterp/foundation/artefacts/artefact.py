"""Artefacts: folders that are written once, and read back only if nothing in them changed."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from io import BufferedReader
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from dtinterp.foundation import __version__
from dtinterp.foundation.artefacts.locks import is_still_there, note_written
from dtinterp.foundation.artefacts.manifest import (
    CONFIG,
    MANIFEST,
    SCHEMA,
    TENSORS,
    Manifest,
    as_json,
    finite,
    is_part,
    parse_manifest,
    seal,
    sha256_of,
    sha256_of_file,
)
from dtinterp.foundation.artefacts.placing import put_in_place, return_retired, standing
from dtinterp.foundation.artefacts.reading import JSON, bytes_of, opened, parse_object, read_json, tensors_of
from dtinterp.foundation.artefacts.writing import draft_folder, sync
from dtinterp.foundation.errors import UserError

TRIES = 100
"""How often an artefact that is replaced while it is read is read again."""
RESTORE = "restore it, or make the artefact again"
"""What to do about a part that is missing or damaged."""
RECORDED_PACKAGES = ("torch", "numpy", "minigrid", "gymnasium", "transformer-lens", "scikit-learn")


@dataclass(frozen=True)
class Content:
    """What a stage made: settings as JSON, arrays as tensors, measurements as JSON."""

    kind: str
    config: Mapping[str, JSON]
    tensors: Mapping[str, Tensor]
    metrics: Mapping[str, JSON]
    device: str = "cpu"
    """where it was computed"""


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
) -> Artefact:
    """Write `content` to the folder `path` and return it as read back.

    The folder is filled under a temporary name on the same file system, synced, read back and renamed into place: it is
    there whole or not at all. NaN and infinity in settings and measurements are written as null. Raises `UserError`
    where `refuse_existing` does.
    """
    with drafted(path, replace=replace) as draft:
        return draft.finish(content, parents=parents, seed=seed)


@dataclass(frozen=True)
class Draft:
    """An artefact under way: a folder beside the place that it will have."""

    folder: Path
    """what was grown here under a name of `TENSOR_FILES` becomes part of the artefact"""
    path: Path

    def finish(self, content: Content, *, parents: Sequence[Artefact], seed: int) -> Artefact:
        """Add `content`, seal the folder, read it back and rename it into place."""
        _fill(self.folder, content, parents=parents, seed=seed)
        written = read_artefact(self.folder, kind=content.kind)
        note_written(self.path, written.manifest.digest)
        put_in_place(self.folder, self.path)
        return replace(written, path=self.path)


@contextmanager
def drafted(path: Path, *, replace: bool = False) -> Iterator[Draft]:
    """Begin the artefact `path` under a temporary name on the same file system; unless it is finished, nothing stays.

    Raises `UserError` where `refuse_existing` does.
    """
    refuse_existing(path, replace=replace)
    with draft_folder(path) as folder:
        refuse_existing(path, replace=replace)  # once more: somebody may have finished it before the lock was ours
        return_retired(path)
        yield Draft(folder, path)


def read_artefact(path: Path, *, kind: str, formerly: Sequence[str] = (), parent: Artefact | None = None) -> Artefact:
    """Read the artefact of `kind`, which was `formerly` called otherwise, at `path` and check every hash.

    With `parent`, also check that it was made from just that artefact. Raises `UserError` where it is missing, damaged,
    of another kind, schema or parent.
    """
    tries = (_read_at_once(path, (kind, *formerly)) for _ in range(TRIES))
    artefact = next((found for found in tries if found is not None), None)
    if artefact is None:
        raise UserError(f"{path} is replaced again and again while it is read: wait for whoever writes it.")
    if parent is not None:
        require_made_from(artefact, parent)
    return artefact


@dataclass(frozen=True)
class Label:
    """What a manifest says of its artefact, with nothing checked."""

    kind: str
    digest: str


def label_at(path: Path) -> Label | None:
    """Return the label of the artefact at `path`; None where there is no manifest that can be read."""
    try:
        entries = read_json(standing(path) / MANIFEST)
    except UserError:
        return None
    if not isinstance(entries, dict) or not {"kind", "digest"} <= entries.keys():
        return None
    return Label(str(entries["kind"]), str(entries["digest"]))


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
    stands = standing(path)
    taken = [file for ending in beside if (file := path.with_name(f"{path.name}{ending}")).exists()]
    if taken and not stands.exists() and not replace:
        raise UserError(f"{taken[0]} exists already: give another --out, or --replace to write it anew.")
    if stands.exists() and not replace:
        raise UserError(f"{path} exists already: give another --out, or --replace to write it anew.")
    strangers = {name for name in _names_in(stands) if not is_part(name)}
    if strangers:
        raise UserError(f"{path} holds {min(strangers)}, which is no part of an artefact: give another --out.")
    ground = next(folder for folder in path.absolute().parents if folder.exists())
    if not ground.is_dir() or not os.access(ground, os.W_OK):
        raise UserError(f"{path} cannot be written, since {ground} is no writable folder: give another --out.")


def _read_at_once(path: Path, names: Sequence[str]) -> Artefact | None:
    """Open all files of an artefact, then hash and read these, whatever has their names by then.

    Returns None where it was replaced before all were open.
    """
    folder = standing(path)
    with ExitStack() as stack:
        try:
            place = stack.enter_context(_entered(folder))
        except (FileNotFoundError, NotADirectoryError):
            if standing(path).is_dir():  # it was renamed before it could be entered
                return None
            raise _no_artefact(folder, names[0]) from None
        try:
            manifest = parse_manifest(_manifest_bytes(folder, place, names[0]), folder, kinds=names)
            contents = {
                name: stack.enter_context(opened(folder / name, within=place, advice=RESTORE))
                for name in manifest.files
            }
        except UserError:
            if is_still_there(folder, place) and folder == standing(path):
                raise
            return None  # another has its name, or what stood aside is being removed
        for name, digest in manifest.files.items():
            _require_undamaged(contents[name], folder / name, digest)
        config = parse_object(bytes_of(contents.pop(CONFIG), folder / CONFIG), str(folder / CONFIG))
        tensors: dict[str, Tensor] = {}
        for name in sorted(contents):
            tensors |= tensors_of(contents[name], folder / name)
    return Artefact(path, config, tensors, manifest)


@contextmanager
def _entered(folder: Path) -> Iterator[int]:
    """Give a descriptor of the folder, by which its files are found even when another takes its name."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield place
    finally:
        os.close(place)


def _manifest_bytes(folder: Path, place: int, kind: str) -> bytes:
    if MANIFEST not in os.listdir(place):
        raise _no_artefact(folder, kind)
    with opened(folder / MANIFEST, within=place) as content:
        return bytes_of(content, folder / MANIFEST)


def _no_artefact(folder: Path, kind: str) -> UserError:
    return UserError(f"{folder} holds no {kind} (there is no {MANIFEST} in it): check the path, or make it first.")


def _fill(folder: Path, content: Content, *, parents: Sequence[Artefact], seed: int) -> None:
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
        device=content.device,
        metrics=finite(content.metrics),
    )
    (folder / MANIFEST).write_bytes(seal(manifest))
    for file in (*files, folder / MANIFEST, folder):
        sync(file)


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


def _names_in(path: Path) -> set[str]:
    """Return the names in a folder, that of a file itself, and none where there is neither."""
    if path.is_dir():
        return {child.name for child in path.iterdir()}
    return {path.name} if path.exists() else set()


def _require_undamaged(content: BufferedReader, file: Path, digest: str) -> None:
    if sha256_of(content) != digest:
        raise UserError(f"{file} is damaged (its hash differs from the manifest's): {RESTORE}.")


def _listed(parents: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {digest[:12]}" for name, digest in parents.items()) or "no parent"
