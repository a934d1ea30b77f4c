"""JSON becomes settings of a kind, or one sentence on the first thing in it that is none."""

from reprlib import repr as short
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from dtinterp.foundation.errors import UserError

SettingsT = TypeVar("SettingsT")


def settings_of(kind: type[SettingsT], value: object, what: str, *, advice: str) -> SettingsT:
    """Return what JSON says as settings of a kind; `what` names where it stands.

    Raises `UserError` for the first thing that is missing or cannot be, with `advice`.
    """
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as mistakes:
        mistake = mistakes.errors(include_url=False)[0]
        name = ".".join(map(str, mistake["loc"])) or "the whole"
        reason = mistake["msg"].rstrip(".")
        found = "missing" if mistake["type"] == "missing" else f"{short(mistake['input'])} ({reason})"
        raise UserError(f"{name} is {found} in {what}, where it cannot be: {advice}.") from None
