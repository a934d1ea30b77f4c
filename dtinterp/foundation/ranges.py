"""Settings become checked settings: a value outside its range is refused in one sentence."""

from collections.abc import Sequence

from dtinterp.foundation.errors import UserError


def require_at_least(settings: object, low: int, *names: str) -> None:
    """Raise `UserError` unless each named setting is `low` or more."""
    for name in names:
        value = getattr(settings, name)
        if not value >= low:
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
