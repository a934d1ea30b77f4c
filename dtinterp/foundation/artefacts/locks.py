"""Locks on what is being written, so that no two commands write it at once, with a note should one be killed."""

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dtinterp.foundation.artefacts.reading import parse_json
from dtinterp.foundation.errors import UserError

NOTE_BYTES = 2**20
LONGEST_NAME = 200
"""Bytes. File systems allow 255, and what lies beside a folder while it is written has its name and more."""
WRITTEN = "written"
"""Where a note has the digest of each artefact that was written under its lock, by path."""


@dataclass
class Lock:
    """The right of one thread to write a path, and what it notes for whoever comes next should it be killed."""

    path: Path
    thread: int
    left: Mapping[str, object] = field(default_factory=dict)
    """the note of a process that was killed while it held this lock; empty where the last one let it go"""
    noted: dict[str, object] = field(default_factory=dict)
    handle: int | None = None
    """descriptor of the file beside the path; None until it is locked"""
    is_kept: bool = False
    """whether the note stays when the lock is let go, as that of a process which was killed"""

    def note(self, name: str, value: object) -> None:
        """Add to the note."""
        self.noted[name] = value
        if self.handle is not None:
            text = json.dumps({"process": os.getpid(), **self.noted}).encode()
            os.pwrite(self.handle, text, 0)
            os.ftruncate(self.handle, len(text))


_held: dict[Path, Lock] = {}
"""The locks of this process."""
_guard = threading.Lock()


@contextmanager
def locked(path: Path) -> Iterator[Lock]:
    """Hold the right to write `path` against other processes and threads while the block runs; a thread may nest it.

    The lock is a file beside `path`; the kernel frees it when its holder dies, however it dies. Folders that were made
    for it, and that nobody used, are removed. Raises `UserError` where somebody else holds it, or the name is too long.
    """
    _require_name(path)
    key, me = path.absolute(), threading.get_ident()
    with _guard:
        is_nested = key in _held
        lock = _held.setdefault(key, Lock(key, me))
    if lock.thread != me:
        raise UserError(f"{path} is being written by another thread: wait for it, or give another --out.")
    if is_nested:
        yield lock
        return
    made = [folder for folder in key.parents if not folder.exists()]
    try:
        key.parent.mkdir(parents=True, exist_ok=True)
        lock.handle = _acquired(lock_file(key), path)
        lock.left = _note_in(lock.handle)
        try:
            yield lock
        finally:
            if not lock.is_kept:
                lock_file(key).unlink(missing_ok=True)
            os.close(lock.handle)
    finally:
        del _held[key]
        _remove_empty(made)


def note_written(path: Path, digest: str) -> None:
    """Note in the locks that this thread holds on `path` and on folders around it what is about to stand there."""
    key, me = path.absolute(), threading.get_ident()
    for lock in [lock for lock in _held.values() if lock.thread == me]:
        if lock.path == key or lock.path in key.parents:
            lock.note(WRITTEN, {**_texts(lock.noted.get(WRITTEN)), str(key): digest})


def written_before(lock: Lock) -> dict[str, str]:
    """Return the digest of each artefact that a killed holder of the lock wrote, or was about to write, by path."""
    return _texts(lock.left.get(WRITTEN))


def forget_below(folder: Path) -> None:
    """Remove the notes below a folder. Raises `UserError` where the lock of one is held."""
    for file in folder.glob("**/.*.lock"):
        with locked(file.with_name(file.name[1:].removesuffix(".lock"))):
            pass  # whoever lets a lock go removes its note


def lock_file(path: Path) -> Path:
    """Return where the lock on `path` lies."""
    return path.with_name(f".{path.name}.lock")


def is_still_there(path: Path, handle: int) -> bool:
    """Whether a file or folder that was opened is still what stands at its path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:
        return False


def _texts(value: object) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, Mapping) else {}


def _require_name(path: Path) -> None:
    if "\0" in str(path):
        raise UserError(f"{str(path)!r} is no path, since it holds a zero byte: give another one.")
    size = len(os.fsencode(path.name))
    if size > LONGEST_NAME:
        raise UserError(f"{path.name[:40]}… has {size} bytes, expected a name of at most {LONGEST_NAME}: shorten it.")


def _acquired(file: Path, path: Path) -> int:
    """Return the descriptor of the locked file. Raises `UserError` where another process holds it."""
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _note_in(handle).get("process", "unknown")
            os.close(handle)
            raise UserError(
                f"{path} is being written by another command (process {holder}): wait for it, or give another --out."
            ) from None
        except OSError:  # a file system without locks, as on some clusters: this guard is missing there, nothing else
            return handle
        if is_still_there(file, handle):
            return handle
        os.close(handle)  # its last holder removed it between our two calls


def _note_in(handle: int) -> Mapping[str, object]:
    """Return the note in a lock; empty where there is none, or none of ours."""
    text = os.pread(handle, NOTE_BYTES, 0)
    try:
        note = parse_json(text, "the lock") if text else {}
    except UserError:
        return {}
    return note if isinstance(note, dict) else {}


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders, the innermost first, up to the first one that holds something."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
