"""Artefacts below some folders, by their manifests, and one sentence for each that cannot be read."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dtinterp.foundation.artefacts.manifest import MANIFEST, as_json, sha256
from dtinterp.foundation.artefacts.placing import standing, standing_names
from dtinterp.foundation.artefacts.reading import read_json
from dtinterp.foundation.errors import UserError

VARIABLE = "DTINTERP_ARTEFACTS"
"""Environment variable that names other folders to look in, separated as on PATH."""
FOLDERS = ("checkpoints", "results")
"""Where the dashboard looks by itself: in the current folder, else beside the package, where that is a checkout."""
MOST_BYTES = 8 * 2**20
"""Of a manifest; the largest that ships has 160 kB."""
TRIES = 10
"""How often a manifest is looked for again that was there a moment ago: its artefact is being replaced."""


@dataclass(frozen=True)
class Shelved:
    """An artefact's folder as its manifest describes it; nothing else of it was read or checked yet."""

    path: Path
    kind: str
    digest: str
    """sha256 that the manifest itself has"""
    parents: Mapping[str, str]
    stamp: str = ""
    """tells the states of its files apart: another one where a damaged file was restored"""

    @property
    def state(self) -> str:
        """What changes when the artefact does, or a file of it."""
        return f"{self.digest}@{self.stamp}"


@dataclass(frozen=True)
class Shelf:
    """What stands below the folders, in order of path."""

    artefacts: tuple[Shelved, ...] = ()
    left_out: tuple[str, ...] = ()
    """one sentence for each folder that cannot be read"""


def folders() -> tuple[Path, ...]:
    """Return the folders to look in: those that `VARIABLE` names, else those of `FOLDERS` that are there."""
    named = tuple(Path(folder) for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder)
    here = tuple(Path(folder) for folder in FOLDERS if Path(folder).exists())
    beside = (Path(__file__).parents[1] / folder for folder in FOLDERS)
    return named or here or tuple(folder for folder in beside if folder.exists())


def shelve(roots: Sequence[Path]) -> Shelf:
    """Return every artefact below the roots; half-written folders, which are hidden, are passed over.

    A folder that is replaced meanwhile is found as it was or as it is. A manifest that is damaged, or somebody else's,
    costs its own folder one sentence.
    """
    left_out = [said for root in roots if (said := _refusal(root)) is not None]
    found: dict[Path, Shelved | str] = {}
    for root in roots:
        for folder in _candidates(root, left_out):
            entry = _entry(folder)
            if entry is not None:
                found[folder] = entry
    ordered = [found[folder] for folder in sorted(found)]
    return Shelf(
        artefacts=tuple(entry for entry in ordered if isinstance(entry, Shelved)),
        left_out=(*left_out, *(entry for entry in ordered if isinstance(entry, str))),
    )


def is_as_shelved(entry: Shelved) -> bool:
    """Whether the artefact still stands as it was found: it was neither replaced nor taken away since."""
    now = _entry(entry.path)
    return isinstance(now, Shelved) and now.digest == entry.digest


def _refusal(root: Path) -> str | None:
    """Say why nothing can be found below a root; None where it is a folder."""
    if os.path.isdir(root):  # noqa: PTH112 (that of pathlib raises where a folder above may not be entered)
        return None
    what = "is no folder" if os.path.lexists(root) else "does not exist"
    return f"{root} {what}: name the folders of your artefacts in {VARIABLE}, separated by '{os.pathsep}'."


def _candidates(root: Path, left_out: list[str]) -> Iterator[Path]:
    """Yield every folder that may hold an artefact; say of those that cannot be listed why not."""

    def refuse(problem: OSError) -> None:
        if not isinstance(problem, FileNotFoundError | NotADirectoryError):  # else it was taken away meanwhile
            left_out.append(f"{problem.filename} cannot be read ({problem.strerror}): allow it, or move it elsewhere.")

    yield root
    for folder, names, _ in os.walk(root, onerror=refuse):
        shown = standing_names(names)
        names[:] = sorted(name for name in names if not name.startswith("."))
        yield from (Path(folder) / name for name in shown if not Path(folder, name).is_symlink())


def _entry(folder: Path) -> Shelved | str | None:
    """Return what stands in a folder, else why it cannot be read; None where it has no manifest, or none any more."""
    said = None
    for _ in range(TRIES):
        place = standing(folder)
        if not os.path.lexists(place / MANIFEST):
            if place == folder and os.path.lexists(place):
                return None
            said = None
            continue
        try:
            return _shelved(place, folder)
        except UserError as mistake:
            said = str(mistake)
        except OSError as problem:
            said = f"{place / MANIFEST} cannot be read ({problem.strerror}): allow it, or move it elsewhere."
    return said


def _shelved(place: Path, folder: Path) -> Shelved:
    """Read the manifest in `place` for the artefact `folder`. Raises `UserError` where it is damaged or not ours."""
    with os.scandir(place) as entries:
        states = {each.name: _state(each.stat(follow_symlinks=False)) for each in entries}
    manifest = _manifest(place / MANIFEST, _state((place / MANIFEST).stat()))
    stamp = sha256(repr(sorted(states.items())).encode())[:16]
    return Shelved(folder, manifest.kind, manifest.digest, manifest.parents, stamp)


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_ctime_ns


@dataclass(frozen=True)
class _Manifest:
    kind: str
    digest: str
    parents: Mapping[str, str]


@lru_cache(maxsize=4096)
def _manifest(file: Path, state: tuple[int, int, int]) -> _Manifest:  # noqa: ARG001 (state is of the key: read anew)
    """Read a manifest and check its seal: once for each state of the file, since every click looks at all of them."""
    fields = read_json(file, at_most=MOST_BYTES)
    if not isinstance(fields, dict) or not {"kind", "digest", "parents"} <= fields.keys():
        raise UserError(f"{file} is no manifest of ours: move it elsewhere, or give other folders in {VARIABLE}.")
    digest, kind, parents = str(fields.pop("digest")), fields["kind"], fields["parents"]
    if digest != sha256(as_json(fields)):
        raise UserError(
            f"{file} is damaged (its hash differs from the one it records): restore it, or make the artefact again."
        )
    if not isinstance(kind, str) or not isinstance(parents, dict) or not all(map(_is_text, parents.values())):
        raise UserError(f"{file} does not say its kind and its parents as we do: make the artefact again.")
    return _Manifest(kind, digest, parents)


def _is_text(value: object) -> bool:
    return isinstance(value, str)
