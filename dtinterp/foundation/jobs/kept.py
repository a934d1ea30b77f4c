"""Values that several parts of one work need, made once while the work lasts."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar, cast

MadeT = TypeVar("MadeT")

_KEPT: ContextVar[dict[Hashable, object] | None] = ContextVar("kept", default=None)


@contextmanager
def kept() -> Iterator[None]:
    """While this lasts, `once` remembers; nothing is held after it."""
    before = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(before)


def once(make: Callable[[], MadeT], *what: Hashable) -> MadeT:
    """Return what `make` makes; inside `kept`, what it made when `what` was asked for before.

    `what` tells the value from all others, of other functions too, and holds on to whatever it is made from.
    """
    found = _KEPT.get()
    if found is None:
        return make()
    if what not in found:
        found[what] = make()
    return cast(MadeT, found[what])
