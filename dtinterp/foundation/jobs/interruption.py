"""Ctrl-C becomes a question that long work asks itself between two steps."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


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
