"""What happens during a command becomes lines of JSON and a progress bar."""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.reading import parse_json
from dtinterp.foundation.tracking import Tracker, Untracked
from dtinterp.foundation.writing import write_text


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
        rows = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        write_text(self.path, "".join(row for row in rows if row.endswith("\n") and _step_of(row) <= step))


def _step_of(row: str) -> int | float:
    """Return the step of a row, 0 where it has none; a damaged row is of no step that was."""
    try:
        entries = parse_json(row, "the row")
    except UserError:
        return math.inf
    step = entries.get("step", 0) if isinstance(entries, dict) else math.inf
    return step if isinstance(step, int) else math.inf


class Bar:
    """One line of progress on the terminal's error stream."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        """Wrap one task of a rich progress display."""
        self._progress, self._task = progress, task

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Move on by `amount` and show `note` behind the bar."""
        self._progress.update(self._task, advance=amount, note=note)

    def reach(self, completed: int, note: str = "") -> None:
        """Move to `completed` and show `note` behind the bar."""
        self._progress.update(self._task, completed=completed, note=note)


@contextmanager
def progress(description: str, total: int, *, completed: int = 0, is_shown: bool = True) -> Iterator[Bar]:
    """Show a progress bar with time left while the block runs; silent if asked, or where there is no terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=not (is_shown and console.is_terminal)) as display:
        yield Bar(display, display.add_task(description, total=total, completed=completed, note=""))
