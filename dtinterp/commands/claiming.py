"""The right to write a command's output while it runs, and whether what stands there is already what it was asked."""

import inspect
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from dtinterp.foundation.artefacts.artefact import Artefact, label_at, read_artefact, refuse_existing
from dtinterp.foundation.artefacts.locks import Lock, locked, written_before
from dtinterp.foundation.artefacts.manifest import MANIFEST, sha256, sha256_of_file
from dtinterp.foundation.artefacts.placing import remove_retired, return_retired
from dtinterp.foundation.artefacts.writing import remove_drafts
from dtinterp.foundation.jobs.unfinished import begin_log, keep_log, unfinished_beside

ArgumentsT = ParamSpec("ArgumentsT")
MadeT = TypeVar("MadeT")

ASKED, STOOD = "asked", "stood"
"""What a lock notes of a command: what it was asked, and whether anything stood at its output before."""
BESIDE = (".jsonl", ".csv", ".html")
"""Endings of what commands write beside an artefact, under its name."""


def claims_out(command: Callable[ArgumentsT, MadeT]) -> Callable[ArgumentsT, MadeT]:
    """Let a command that writes `out` hold the right to write it from its first line to its last.

    Another command that would write the same meanwhile is refused at once. Where the very same command was killed after
    its artefact had its place, or did it as a stage of a study that is not finished, that artefact is what it makes
    now; had it written some of several, it goes on and writes these again. Of a training in several processes the first
    one holds the right.
    """

    @wraps(command)
    def claimed(*args: ArgumentsT.args, **kwargs: ArgumentsT.kwargs) -> MadeT:
        order = Order.of(command, args, kwargs)
        if order.out is None or os.environ.get("RANK", "0") != "0":
            return command(*args, **kwargs)
        with locked(order.out) as lock:
            goes_on = lock.left.get(ASKED) == order.asked and _is_all_of(lock, order.out)
            if goes_on and order.form is not None and label_at(order.out):
                return order.form(_finished(order.out))  # pyright: ignore[reportReturnType]
            stood = _stands(order.out)
            lock.note(ASKED, order.asked)
            lock.note(STOOD, stood and not goes_on)
            anew = {"replace": True} if goes_on and lock.left.get(STOOD) is False else {}
            if order.is_one:
                refuse_existing(order.out, replace=order.replace or bool(anew))
            return command(*args, **{**kwargs, **anew})  # pyright: ignore[reportCallIssue]

    return claimed


@dataclass(frozen=True)
class Order:
    """What a command was called with."""

    out: Path | None
    """None where the command finds its output by itself"""
    replace: bool
    """whether what stands there may be written anew"""
    asked: str
    """a hash over the command, all its arguments but `replace`, and the artefacts and files that they name"""
    form: Callable[[Artefact], object] | None
    """how it returns the artefact that stands at `out` itself; None where it never does"""
    is_one: bool
    """whether all that it writes is one artefact at `out`, and not several below it"""

    @classmethod
    def of(cls, command: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]) -> "Order":
        """Bind the arguments of a call, defaults included."""
        signature = inspect.signature(command)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        out = bound.arguments.pop("out")
        replace = bool(bound.arguments.pop("replace", False))
        contents = [(str(path), _content_at(path)) for path in _paths_in(tuple(bound.arguments.values()))]
        words = (command.__module__, command.__qualname__, str(out), repr(bound.arguments), contents)
        made = signature.return_annotation
        is_one = made in (Artefact, Artefact | None)
        return cls(out, replace, sha256(repr(words).encode()), _form(made), is_one)


def _form(annotation: object) -> Callable[[Artefact], object] | None:
    if annotation in (Artefact, Artefact | None):
        return lambda artefact: artefact
    return (lambda artefact: (artefact,)) if annotation == tuple[Artefact, ...] else None


def _paths_in(value: Any) -> Iterator[Path]:
    match value:
        case Path():
            yield value
        case tuple() | list():
            for part in value:
                yield from _paths_in(part)
        case _ if is_dataclass(value):
            for field in fields(value):
                yield from _paths_in(getattr(value, field.name))


def _content_at(path: Path) -> str | None:
    """Return what tells the artefact or the file at a path from another one."""
    if path.is_file():
        return sha256_of_file(path)
    label = label_at(path)
    return label and label.digest


def _is_all_of(lock: Lock, out: Path) -> bool:
    """Whether every artefact that stands at `out`, or below it, was written by the last holder of the lock."""
    before = written_before(lock)
    standing = [file.parent for file in (out / MANIFEST, *out.glob(f"**/[!.]*/{MANIFEST}")) if file.exists()]
    return all((label := label_at(each)) and before.get(str(each.absolute())) == label.digest for each in standing)


def _stands(out: Path) -> bool:
    return out.exists() or any(out.with_name(f"{out.name}{ending}").exists() for ending in BESIDE)


def _finished(out: Path) -> Artefact:
    """Put away what a killed command left beside its artefact, and return the artefact."""
    if begin_log(out, fresh=False).exists():
        keep_log(out)
    unfinished_beside(out).unlink(missing_ok=True)
    shutil.rmtree(unfinished_beside(out).with_suffix(""), ignore_errors=True)
    return_retired(out)
    remove_retired(out)
    remove_drafts(out)
    label = label_at(out)
    assert label is not None, f"{out} has no manifest"
    return read_artefact(out, kind=label.kind)
