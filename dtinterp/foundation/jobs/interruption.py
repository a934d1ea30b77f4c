"""Interrupting a training: Ctrl-C is noted between two steps, what was done is saved, and the next call goes on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from dtinterp.foundation.jobs.resume import Training, resume, suspend
from dtinterp.foundation.logbook import Logbook


class Interruption:
    """Whether Ctrl-C was pressed; pressed once more, it interrupts at once."""

    is_asked = False

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        """Note the first Ctrl-C. Raises KeyboardInterrupt at the second."""
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True


@contextmanager
def noted_interruption() -> Iterator[Interruption]:
    """Note Ctrl-C while the block runs, so that it can save its state first.

    Call it from the main thread, which alone hears signals.
    """
    interruption = Interruption()
    before = signal.signal(signal.SIGINT, interruption.ask)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class TrainingRecord:
    """What is kept of a training under way."""

    logbook: Logbook = field(default_factory=Logbook)
    """a row per measurement"""
    resume_file: Path | None = None
    """written now and then and at Ctrl-C; a training that finds its own file here goes on from it"""

    def resume(self, training: Training) -> int:
        """Put a suspended training back and return its finished steps; 0 where there is none.

        Raises `UserError` where the file is damaged or of another training.
        """
        return resume(self.resume_file, training) if self.resume_file else 0

    def save(self, training: Training, done: int) -> None:
        """Write the training with its number of finished steps, if there is a file for it."""
        if self.resume_file:
            suspend(self.resume_file, training, done)

    def stop(self, training: Training, done: int, out_of: str) -> None:
        """Save a training that is interrupted after so many steps `out_of`, such as `500 updates`.

        Raises KeyboardInterrupt, which says how to go on.
        """
        self.save(training, done)
        how = f", which {self.resume_file} keeps: give the same command again to go on" if self.resume_file else ""
        raise KeyboardInterrupt(f"interrupted after {done} of {out_of}{how}.")
