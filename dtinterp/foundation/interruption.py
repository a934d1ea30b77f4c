"""Ctrl-C becomes a request to stop, so that what was done so far can be kept."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """A command stopped when asked to; its one sentence says what was kept."""


class StopRequest:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        """Nobody did yet."""
        self.is_made = False


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Let the first Ctrl-C in the block only ask for a stop; a second one stops at once.

    Python hears signals in its main thread alone, so in any other thread nothing changes.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    usual = signal.getsignal(signal.SIGINT)

    def note(_number: int, _frame: FrameType | None) -> None:
        request.is_made = True
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGINT, usual)
