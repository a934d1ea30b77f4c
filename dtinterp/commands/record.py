"""The record of a study that is not finished: what was asked of it, and what its stages took.

That a stage is done stands in the note of its command's lock, which is kept until the study is finished: the command,
called again, finds its artefact and returns it (see `claims_out`).
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ParamSpec

from pydantic import TypeAdapter, ValidationError

from dtinterp.commands.claiming import Order
from dtinterp.commands.report import opened
from dtinterp.foundation.artefacts.locks import forget_below, locked
from dtinterp.foundation.artefacts.reading import read_json
from dtinterp.foundation.artefacts.writing import write_text
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import Logbook
from dtinterp.report.results import Result

ArgumentsT = ParamSpec("ArgumentsT")
LOG = "log.jsonl"
"""Beside a record: what each stage took."""


@dataclass(frozen=True)
class StudyRecord:
    """What the file of a record says."""

    study: str
    """what tells this study from another one"""
    seconds: dict[str, float] = field(default_factory=dict)
    """that each part of the study took, over all calls"""


@dataclass(frozen=True)
class Record:
    """A study at work; its file goes when it is finished."""

    file: Path
    recorded: StudyRecord
    replace: bool
    """whether what stands at the output of a command may be written anew"""

    def stage(self, name: str, command: Callable[ArgumentsT, object]) -> Callable[ArgumentsT, Result[Any]]:
        """Return the command as a stage: done once, its seconds logged, and returning the value that it wrote.

        A stage that fails leaves no time.
        """

        def called(*args: ArgumentsT.args, **kwargs: ArgumentsT.kwargs) -> Result[Any]:
            out = Order.of(command, args, kwargs).out
            assert out is not None, "a stage says where it writes"
            began, seconds = time.perf_counter(), self.recorded.seconds
            with locked(out) as lock:
                command(*args, **{**kwargs, "replace": self.replace})  # pyright: ignore[reportCallIssue]
                lock.is_kept = True
                seconds[name] = round(seconds.get(name, 0.0) + time.perf_counter() - began, 2)
                write_text(self.file, json.dumps(asdict(self.recorded), indent=1) + "\n")
            Logbook(self.file.with_name(LOG)).write(stage=name, seconds=seconds[name])
            return opened(out)

        return called

    def close(self) -> None:
        """Remove the record and the notes of the stages: the study is finished."""
        forget_below(self.file.parent)
        self.file.unlink(missing_ok=True)


def open_record(file: Path, study: str, *, replace: bool) -> Record:
    """Go on with the record in `file`, or begin one.

    Raises `UserError` where it is of another study and `replace` is not given.
    """
    if not file.exists():
        return Record(file, StudyRecord(study), replace)
    try:
        found = TypeAdapter(StudyRecord).validate_python(read_json(file))
    except (UserError, ValidationError):
        found, wrong = None, f"{file} is damaged: give another --out, or --replace to begin that study anew."
    else:
        wrong = (
            f"{file.parent} holds an unfinished study with other settings: ask for the same to go on, give another "
            "--out, or --replace to write it anew."
        )
    if found is not None and found.study == study:
        return Record(file, found, replace=True)
    if not replace:
        raise UserError(wrong)
    forget_below(file.parent)
    return Record(file, StudyRecord(study), replace)
