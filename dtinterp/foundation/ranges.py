"""Ranges of settings: a value outside its own is refused in one sentence."""

import math
from collections.abc import Sequence
from dataclasses import fields

from dtinterp.foundation.errors import UserError

LARGEST = 10**10
"""Size of a number above which nobody can mean it: more steps, windows or units than any machine takes."""
LARGEST_SEED = 2**63 - 1
SEEDS = ("seed", "seeds", "member")
"""Settings whose numbers only tell draws apart."""


def require_at_least(settings: object, low: int, *names: str) -> None:
    """Raise `UserError` unless each named setting is `low` or more; one that may be absent, and is, is left out."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and not value >= low:
            raise UserError(f"{name} is {value}, expected at least {low}: give another value.")


def require_above(settings: object, low: int, *names: str) -> None:
    """Raise `UserError` unless each named setting is more than `low`."""
    for name in names:
        value = getattr(settings, name)
        if not value > low:
            raise UserError(f"{name} is {value}, expected a number above {low}: give another value.")


def require_share(settings: object, *names: str) -> None:
    """Raise `UserError` unless each named setting is from 0 to 1."""
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value <= 1:
            raise UserError(f"{name} is {value}, expected a number from 0 to 1: give another value.")


def require_one_of(settings: object, name: str, choices: Sequence[str]) -> None:
    """Raise `UserError` unless the named setting is one of the choices."""
    value = getattr(settings, name)
    if value not in choices:
        raise UserError(f"{name} is {value!r}, expected one of {', '.join(choices)}: give one of these.")


def require_between(name: str, value: int | float, low: int, high: int = LARGEST) -> None:
    """Raise `UserError` unless a number that stands in no config is from `low` to `high`."""
    if not low <= value <= high:
        raise UserError(f"{name} is {value}, expected a number from {low:,} to {high:,}: give another value.")


def require_sensible(settings: object) -> None:
    """Raise `UserError` unless each number among a dataclass's own settings can be meant.

    Numbers are finite and at most `LARGEST` in size; seeds and members, which may be any number, are from 0 to
    `LARGEST_SEED`. Settings that are dataclasses check themselves.
    """
    for field in fields(settings):  # pyright: ignore[reportArgumentType]
        value = getattr(settings, field.name)
        low, high = (0, LARGEST_SEED) if field.name in SEEDS else (-LARGEST, LARGEST)
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int | float) and not math.isfinite(number):
                raise UserError(f"{field.name} is {number}, expected a finite number: give another value.")
            if isinstance(number, int | float):
                require_between(field.name, number, low, high)


def require_each_at_least(settings: object, low: int, *names: str) -> None:
    """Raise `UserError` unless all numbers of each named setting are `low` or more."""
    for name in names:
        for value in getattr(settings, name):
            if not value >= low:
                raise UserError(f"{name} holds {value}, expected numbers of at least {low}: give other values.")
