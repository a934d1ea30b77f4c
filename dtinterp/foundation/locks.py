"""Locks on what is being written, so that no two commands write it at once."""

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.reading import JSON, parse_json

NOTE_BYTES = 2**20
LONGEST_NAME = 200
"""Bytes. File systems allow 255, and what lies beside a folder while it is written has its name and more."""

_holders: dict[Path, int] = {}
"""The thread that holds each lock of this process."""
_guard = threading.Lock()


@dataclass(frozen=True)
class Lock:
    """The right to write a path."""

    left: Mapping[str, JSON] | None
    """the note of a process that was killed while it held the lock; None where the last one let it go"""
    _handle: int | None

    def note(self, note: Mapping[str, JSON]) -> None:
        """Leave a note for whoever comes next, should this process be killed."""
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, json.dumps({"process": os.getpid(), **note}).encode(), 0)


@contextmanager
def locked(path: Path) -> Iterator[Lock]:
    """Hold the right to write `path` against other processes and threads while the block runs; a thread may nest it.

    The lock is a file beside `path`; the kernel frees it when its holder dies, however it dies. Folders that were made
    for it, and that nobody used, are removed. Raises `UserError` where somebody else holds it, or the name is too long.
    """
    _require_name(path)
    key = path.absolute()
    if not _begins_to_hold(key):
        yield Lock(None, None)
        return
    made = [folder for folder in key.parents if not folder.exists()]
    try:
        key.parent.mkdir(parents=True, exist_ok=True)
        file = lock_file(key)
        handle = _acquired(file, path)
        try:
            yield Lock(_note_in(handle), handle)
        finally:
            file.unlink(missing_ok=True)
            os.close(handle)
    finally:
        del _holders[key]
        _remove_empty(made)


def lock_file(path: Path) -> Path:
    """Return where the lock on `path` lies."""
    return path.with_name(f".{path.name}.lock")


def _require_name(path: Path) -> None:
    size = len(os.fsencode(path.name))
    if size > LONGEST_NAME:
        raise UserError(f"{path.name[:40]}… has {size} bytes, expected a name of at most {LONGEST_NAME}: shorten it.")


def _begins_to_hold(key: Path) -> bool:
    """Whether this thread now holds a lock that it did not hold before.

    Raises `UserError` where another thread of this process holds it.
    """
    me = threading.get_ident()
    with _guard:
        if key not in _holders:
            _holders[key] = me
            return True
    if _holders[key] != me:
        raise UserError(f"{key} is being written by another thread: wait for it, or give another --out.")
    return False


def _acquired(file: Path, path: Path) -> int:
    """Return the descriptor of the locked file. Raises `UserError` where another process holds it."""
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = (_note_in(handle) or {}).get("process", "unknown")
            os.close(handle)
            raise UserError(
                f"{path} is being written by another command (process {holder}): wait for it, or give another --out."
            ) from None
        except OSError:  # a file system without locks, as on some clusters: the guard is missing there, nothing else is
            return handle
        if _is_still_there(file, handle):
            return handle
        os.close(handle)  # its last holder removed it between our two calls


def _is_still_there(file: Path, handle: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _note_in(handle: int) -> Mapping[str, JSON] | None:
    """Return the note in a lock; None where there is none, or none of ours."""
    text = os.pread(handle, NOTE_BYTES, 0)
    try:
        note = parse_json(text, "the lock") if text else None
    except UserError:
        return None
    return note if isinstance(note, dict) else None


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders, the innermost first, up to the first one that holds something."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
