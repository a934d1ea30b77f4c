"""The log of a command as lines of JSON, and its progress bar."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path

from dtinterp.foundation.artefacts.reading import parse_json, read_bytes
from dtinterp.foundation.artefacts.writing import write_text
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.tracking import Tracker, Untracked

SECONDS_BETWEEN_LINES = 30
"""Time after which progress is said where no tenth of the work is done."""
_IS_SHOWN = ContextVar("whether progress is shown", default=True)
LOG_BYTES = 2**30
"""More than any training writes."""


class Logbook:
    """An append-only JSONL file, and curves where a tracker draws them; with no path there is no file."""

    def __init__(self, path: Path | None = None, tracker: Tracker | None = None) -> None:
        """Open nothing yet: the file appears with the first row."""
        self.path = path
        self.tracker = tracker or Untracked()

    def write(self, **row: int | float | str | None) -> None:
        """Append one row, stamped with the wall clock in seconds; the tracker draws its numbers over its `step`."""
        step = row.get("step")
        if isinstance(step, int):
            self.tracker.write(step, {name: value for name, value in row.items() if isinstance(value, float)})
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"clock": round(time.time(), 3), **row}) + "\n")

    def rewind(self, step: int) -> None:
        """Forget the rows of steps after `step`, and a row that was cut short: a resumed run writes them again."""
        if self.path is None or not self.path.exists():
            return
        text = read_bytes(self.path, at_most=LOG_BYTES).decode(errors="replace")
        rows = text.splitlines(keepends=True)
        write_text(self.path, "".join(row for row in rows if row.endswith("\n") and _step_of(row) <= step))


def _step_of(row: str) -> int | float:
    """Return the step of a row, 0 where it has none; a damaged row is of no step that was."""
    try:
        entries = parse_json(row, "the row")
    except UserError:
        return math.inf
    step = entries.get("step", 0) if isinstance(entries, dict) else math.inf
    return step if isinstance(step, int) else math.inf


def notice(sentence: str) -> None:
    """Say something that is no result, no progress and no mistake: one line on the error stream, `--quiet` or not."""
    sys.stderr.write(f"note: {sentence}\n")


class Bar:
    """How far some work has come; this one shows it to nobody."""

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Move on by `amount` and show `note`."""

    def reach(self, completed: int, note: str = "") -> None:
        """Move to `completed` and show `note`."""


class _Lines(Bar):
    """Plain lines on a stream that is no terminal: one at each tenth of the work, and one after every half minute."""

    def __init__(self, description: str, total: int, completed: int) -> None:
        """Begin where the work begins."""
        self._description, self._total, self._completed = description, total, completed
        self._said, self._when = completed, time.monotonic()

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Move on by `amount`, and say so where a line is due."""
        self.reach(self._completed + amount, note)

    def reach(self, completed: int, note: str = "") -> None:
        """Move to `completed`, and say so where a line is due."""
        self._completed = completed
        is_tenth = completed > self._said and 10 * completed // self._total > 10 * self._said // self._total
        if not is_tenth and time.monotonic() - self._when < SECONDS_BETWEEN_LINES:
            return
        sys.stderr.write(f"{self._description}: {completed}/{self._total} {note}".rstrip() + "\n")
        self._said, self._when = completed, time.monotonic()


class _Drawn(Bar):
    """One line of progress on a terminal, drawn anew as it moves."""

    def __init__(self, update: Callable[..., None]) -> None:
        """Take what updates the task of a rich display."""
        self._update = update

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Move on by `amount` and show `note` behind the bar."""
        self._update(advance=amount, note=note)

    def reach(self, completed: int, note: str = "") -> None:
        """Move to `completed` and show `note` behind the bar."""
        self._update(completed=completed, note=note)


@contextmanager
def unshown() -> Iterator[None]:
    """Show no progress while the block runs."""
    token = _IS_SHOWN.set(False)
    try:
        yield
    finally:
        _IS_SHOWN.reset(token)


@contextmanager
def progress(description: str, total: int, *, completed: int = 0, is_shown: bool = True) -> Iterator[Bar]:
    """Show progress on the error stream while the block runs, and nothing where that is not asked for.

    A terminal gets a bar with the time left; another stream a plain line now and then, without control codes.
    """
    if not (is_shown and _IS_SHOWN.get()):
        yield Bar()
    elif sys.stderr.isatty():
        with _drawn(description, total, completed) as bar:
            yield bar
    else:
        yield _Lines(description, max(total, 1), completed)


@contextmanager
def _drawn(description: str, total: int, completed: int) -> Iterator[Bar]:
    """Draw a bar with the time left; rich takes a while to import, and only a terminal needs it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(description, total=total, completed=completed, note="")
        yield _Drawn(partial(display.update, task))
