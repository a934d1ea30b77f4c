"""A cache of the pieces of long work: done here or on many machines, kept as files, and never done twice.

Whoever does a piece, it is the same computation, so an interrupted run that goes on, and one that is spread over
machines of the same kind, come to the same as one that was never interrupted, to the bit.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from dtinterp.foundation.artefacts.manifest import sha256
from dtinterp.foundation.artefacts.reading import JSON, read_text
from dtinterp.foundation.artefacts.sealed import read_sealed, write_sealed
from dtinterp.foundation.artefacts.writing import write_text
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.pool import Failed, carry_out, joined
from dtinterp.foundation.logbook import progress

IDENTITY = "identity.json"
ENDING = ".safetensors"
"""Of the name of a piece's file."""

JobT = TypeVar("JobT")
Piece = Mapping[str, Tensor]


@dataclass(frozen=True)
class JobCache:
    """Where pieces of work are kept, by name, and who does them."""

    folder: Path | None = None
    """without one nothing is kept"""
    ray_address: str | None = None
    """where Ray does them; without one they are done here"""
    chapter: str = ""
    """what the names of pieces begin with"""
    identity: str = ""
    """what tells this work from other work, as JSON"""

    def about(self, chapter: str) -> "JobCache":
        """Return the same cache for pieces of one kind, so that two kinds may use the same names."""
        return replace(self, chapter=f"{self.chapter}{chapter}-")

    def done(self, title: str, jobs: Mapping[str, JobT], work: Callable[[JobT], Piece]) -> list[Piece]:
        """Return what `work` makes of each job, in their order; what is kept already is not done again.

        Shows progress under `title`. Raises `UserError` where a job fails; what was done before is kept.
        """
        found = {name: piece for name in jobs if (piece := self._found(name)) is not None}
        left = {name: job for name, job in jobs.items() if name not in found}
        with progress(title, len(jobs), completed=len(found)) as bar:
            for finished in carry_out(work, left, ray_address=self.ray_address):
                if isinstance(finished.outcome, Failed):
                    reason = finished.outcome.reason.rstrip(".")
                    raise UserError(f"{title}: piece {finished.name} failed: {reason}; call again to do the rest.")
                found[finished.name] = self._kept(finished.name, finished.outcome)
                bar.advance()
        return [found[name] for name in jobs]

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Hold the machines for all pieces to come, instead of joining them anew for each `done`.

        Where it ends before any piece was done, as after settings that are refused, nothing of the cache stays.
        """
        try:
            with joined(self.ray_address):
                yield
        finally:
            if self.folder is not None and not any(self.folder.glob(f"*{ENDING}")):
                self.close()

    def close(self) -> None:
        """Remove the pieces; call it once the result is written."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _found(self, name: str) -> Piece | None:
        """Return a piece that is kept; None where there is none, or where a bit of it changed, so that it is redone."""
        if self.folder is None or not self._file(name).exists():
            return None
        try:
            piece, notes = read_sealed(self._file(name))
        except UserError:
            return None
        return piece if notes == self._notes(name) else None

    def _kept(self, name: str, piece: Piece) -> Piece:
        if self.folder is not None:
            write_sealed(self._file(name), piece, self._notes(name))
        return piece

    def _notes(self, name: str) -> dict[str, str]:
        """Return what is sealed with a piece, so that none stands for another one, or for one of other work."""
        return {"piece": f"{self.chapter}{name}", "identity": sha256(self.identity.encode())}

    def _file(self, name: str) -> Path:
        return (self.folder or Path()) / f"{self.chapter}{name}{ENDING}"


NO_CACHE = JobCache()
"""Does everything here and keeps nothing."""


def open_job_cache(folder: Path, identity: Mapping[str, JSON], *, ray_address: str | None = None) -> JobCache:
    """Return the cache in `folder`, begun or gone on with.

    Raises `UserError` where the folder is of other work.
    """
    file, ours = folder / IDENTITY, json.dumps(dict(identity), indent=1, sort_keys=True, default=str)
    if file.exists() and read_text(file) != ours:
        raise UserError(
            f"{folder} is the unfinished work of other settings, another model or another version of the code: ask for "
            "the same again to go on, or remove the folder to begin anew."
        )
    write_text(file, ours)
    return JobCache(folder, ray_address, identity=ours)


def numbered(n: int, at_once: int) -> dict[str, slice]:
    """Return slices of up to `at_once` that cover 0 to `n`, by names that stand for the same slice whenever asked."""
    return {f"{start:06d}": slice(start, min(start + at_once, n)) for start in range(0, n, at_once)}
