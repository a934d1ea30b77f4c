"""Files and folders that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dtinterp.foundation.artefacts.locks import locked
from dtinterp.foundation.errors import UserError

DRAFT = ".draft"
"""Ending of what is being written; whoever holds the lock on a path may remove the drafts of it."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give the path of a draft on the same file system; when the block ends it is synced and takes the place of `path`.

    Where the block fails the draft is removed, and what stood there is as it was. Raises `UserError` where somebody
    else writes `path`, and where it is a folder.
    """
    with locked(path):
        if path.is_dir():
            raise UserError(f"{path} is a folder, expected the place of a file: move it, or give another path.")
        remove_drafts(path)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=DRAFT, dir=path.parent)
        os.close(handle)
        draft = Path(name)
        try:
            yield draft
            draft.chmod(0o644)
            sync(draft)
            draft.replace(path)
            sync(path.parent)
        finally:
            draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; what stood there is replaced."""
    with whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8")


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """Give a new folder on the same file system, which whoever renames it keeps; else nothing of it stays.

    Raises `UserError` where somebody else writes `path`.
    """
    with locked(path):
        remove_drafts(path)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=DRAFT, dir=path.parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def require_room(path: Path, n_bytes: int) -> None:
    """Raise `UserError` where `path` has no room for so many bytes: for libraries that a full disk takes down."""
    ground = next(folder for folder in path.absolute().parents if folder.is_dir())
    free = shutil.disk_usage(ground).free
    if free < n_bytes:
        raise UserError(f"{path} takes up to {n_bytes:,} bytes, and {free:,} are free there: make room there.")


def remove_drafts(path: Path) -> None:
    """Remove what killed writers of `path` left; call it while `path` is locked."""
    for draft in path.parent.glob(f".{_literal(path.name)}.*{DRAFT}"):
        if draft.is_dir() and not draft.is_symlink():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or the list of the files in a folder, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _literal(name: str) -> str:
    """Return a name as a pattern that matches it alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
