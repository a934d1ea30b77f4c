"""Commands that are killed between two operations on files: at every one of them, not at random moments."""

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

OPERATIONS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod")
"""Of the events that Python reports to audit hooks (PEP 578), those that change what is on the disk, or precede it."""
FORK = get_context("fork")


def n_operations(work: Callable[[], object], folder: Path) -> int:
    """Return how many operations below `folder` it takes to do some work, in a process of its own."""
    counter = FORK.Value("q", 0)

    def counted() -> None:
        def count(event: str, arguments: tuple[object, ...]) -> None:
            if _changes(event, arguments, folder):
                counter.value += 1  # pyright: ignore[reportAttributeAccessIssue]

        sys.addaudithook(count)
        work()

    assert _run(counted) == 0
    return counter.value  # pyright: ignore[reportAttributeAccessIssue]


def kill_at(work: Callable[[], object], folder: Path, operation: int) -> None:
    """Do some work in a process that is killed, as `kill -9` does it, just before its n-th operation below `folder`."""

    def doomed() -> None:
        left = [operation]

        def count(event: str, arguments: tuple[object, ...]) -> None:
            if _changes(event, arguments, folder):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        work()

    assert _run(doomed) == -signal.SIGKILL, f"it was to be killed at operation {operation}"


def _run(work: Callable[[], object]) -> int | None:
    process = FORK.Process(target=work)
    process.start()
    process.join()
    return process.exitcode


def _changes(event: str, arguments: tuple[object, ...], folder: Path) -> bool:
    """Whether an event is an operation on something below the folder; opening only where it is to be written."""
    if event not in OPERATIONS:
        return False
    if event == "open" and not _writes(arguments):
        return False
    return str(arguments[0]).startswith(str(folder))


def _writes(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
