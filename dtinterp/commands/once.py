"""Commands of a study that are done once: what stands from a call that was killed is not done again."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from pydantic import TypeAdapter, ValidationError

from dtinterp.commands.claiming import Order, digests_at
from dtinterp.commands.report import opened
from dtinterp.foundation.artefacts.locks import locked
from dtinterp.foundation.artefacts.reading import read_json
from dtinterp.foundation.artefacts.writing import write_text
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import Logbook
from dtinterp.report.results import Result

ArgumentsT = ParamSpec("ArgumentsT")
LOG = "log.jsonl"
"""Beside a record: what each stage took."""
STUDY, STAGES, SECONDS = "study", "stages", "seconds"
"""Where a record says what was asked of the whole, what each stage was asked and wrote, and what it took."""


@dataclass
class Record:
    """What the commands of a study have written so far, in a file that goes when the study is finished."""

    file: Path
    study: str
    """what tells this study from another one"""
    replace: bool
    """whether what stands at the output of a command may be written anew"""
    stages: dict[str, object] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    """that each part of the study took, over all calls"""

    def stage(self, name: str, command: Callable[ArgumentsT, object]) -> Callable[ArgumentsT, Result[Any]]:
        """Return the command as a stage: done once, its seconds logged, and returning the value that it wrote.

        A stage that fails leaves no time.
        """

        def called(*args: ArgumentsT.args, **kwargs: ArgumentsT.kwargs) -> Result[Any]:
            began = time.perf_counter()
            out = self.once(command)(*args, **kwargs)
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - began, 2)
            Logbook(self.file.with_name(LOG)).write(stage=name, seconds=self.seconds[name])
            return opened(out)

        return called

    def once(self, command: Callable[ArgumentsT, object]) -> Callable[ArgumentsT, Path]:
        """Return the command that does nothing where it was called like this and what it wrote stands.

        It returns where that is.
        """

        @wraps(command)
        def called(*args: ArgumentsT.args, **kwargs: ArgumentsT.kwargs) -> Path:
            order = Order.of(command, args, kwargs)
            assert order.out is not None, "a stage says where it writes"
            stage, name = {"asked": order.asked, "wrote": digests_at(order.out)}, str(order.out)
            if self.stages.get(name) == stage and stage["wrote"]:
                return order.out
            with locked(order.out):  # until it is recorded: its note tells the next call that it was done
                command(*args, **{**kwargs, "replace": self.replace})  # pyright: ignore[reportCallIssue]
                self.stages[name] = {"asked": order.asked, "wrote": digests_at(order.out)}
                self._write()
            return order.out

        return called

    def _write(self) -> None:
        kept = {STUDY: self.study, STAGES: self.stages, SECONDS: self.seconds}
        write_text(self.file, json.dumps(kept, indent=1) + "\n")

    def close(self) -> None:
        """Remove the record: the study is finished."""
        self.file.unlink(missing_ok=True)


def open_record(file: Path, study: str, *, replace: bool) -> Record:
    """Go on with the record in `file`, or begin one.

    Raises `UserError` where it is of another study and `replace` is not given.
    """
    if not file.exists():
        return Record(file, study, replace)
    found = _read(file)
    if found is not None and found.study == study:
        return Record(file, study, replace=True, stages=found.stages, seconds=found.seconds)
    if found is None and not replace:
        raise UserError(f"{file} is damaged: give another --out, or --replace to begin that study anew.")
    if not replace:
        raise UserError(
            f"{file.parent} holds an unfinished study with other settings: ask for the same to go on, give another "
            "--out, or --replace to write it anew."
        )
    return Record(file, study, replace)


@dataclass(frozen=True)
class _Kept:
    study: str
    stages: dict[str, object]
    seconds: dict[str, float]


def _read(file: Path) -> _Kept | None:
    """Return what a record says; None where it is damaged, so that its study is another one."""
    try:
        return TypeAdapter(_Kept).validate_python(read_json(file))
    except (UserError, ValidationError):
        return None
