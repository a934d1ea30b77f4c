"""Checks that what was read makes sense, or one sentence on why it does not.

A seal says that nothing changed since it was written, not that it was ever sensible: anybody can seal anything. So what
a loader reads is held against the types, shapes and rules of the values that it makes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from reprlib import repr as short
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from dtinterp.foundation.errors import UserError

MAKE_AGAIN = "make it again with this version, or give another one"
LONGEST_REASON = 300
"""Characters that are told of what does not fit."""
AT_ONCE = 2**24
"""Numbers that are looked at together: arrays may be larger than memory."""
MISFITS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)
"""What comes of making values of what does not fit them; pydantic's ValidationError is a ValueError."""

Value = TypeVar("Value")


@contextmanager
def understanding(path: Path, kind: str, *, advice: str = MAKE_AGAIN) -> Iterator[None]:
    """Raise `UserError`, with `advice`, where the block finds that what is sealed at `path` makes no `kind`."""
    try:
        yield
    except MISFITS as misfit:
        reason = " ".join(_reason(misfit).split()).rstrip(".:;")[:LONGEST_REASON]
        raise UserError(f"{path} is no {kind} that this version understands ({reason}): {advice}.") from None


def settings_of(kind: type[Value], value: object, what: str, *, advice: str) -> Value:
    """Return what JSON says as settings of a kind; `what` names where it stands.

    Raises `UserError` for the first thing that is missing or cannot be, with `advice`.
    """
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as mistakes:
        raise UserError(f"{first_mistake(mistakes)} in {what}, where it cannot be: {advice}.") from None


def first_mistake(mistakes: ValidationError, place: Sequence[object] = ()) -> str:
    """Return the first thing that is wrong with what stands at a place, where in it, and what was found there."""
    first: Mapping[str, Any] = mistakes.errors(include_url=False, include_context=False)[0]
    where = ".".join(map(str, (*place, *first["loc"]))) or "the whole"
    found = "is missing" if first["type"] == "missing" else f"is {short(first['input'])} ({first['msg'].rstrip('.')})"
    return f"{where} {found}"


def require_sound(value: object) -> None:
    """Raise TypeError where an array in a dataclass is not what its annotation says, ValueError where it is not finite.

    Shapes hold within each dataclass: axes of the same name are equally long. Goes into tuples and dataclasses.
    """
    match value:
        case Tensor():
            _require_finite(value, "an array")
        case nn.Module():
            for name, parameter in value.state_dict().items():
                _require_finite(parameter, name)
        case tuple() | list():
            for part in value:
                require_sound(part)
        case Mapping():
            require_sound(list(value.values()))
        case _ if is_dataclass(value) and not isinstance(value, type):
            _require_annotated(value)


def require_equally_many(**counts: int) -> None:
    """Raise ValueError where things that belong to each other, named with their numbers, are not equally many."""
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise ValueError(f"there are {found}, expected equally many")


def require_within(name: str, values: Tensor, low: int | float, high: int | float) -> None:
    """Raise ValueError where one of some numbers lies outside of `low` to `high`, or is none."""
    if values.numel() and not (low <= float(values.min()) and float(values.max()) <= high):
        raise ValueError(
            f"{name} runs from {float(values.min()):g} to {float(values.max()):g}, expected {low:g} to {high:g}"
        )


@cache
def hints_of(kind: type) -> Mapping[str, Any]:
    """Return the types of a dataclass's fields."""
    return get_type_hints(kind)


def _require_annotated(value: Any) -> None:
    hints, axes = hints_of(type(value)), {}
    for name in (field.name for field in fields(value)):
        part = getattr(value, name)
        if not isinstance(part, Tensor):
            require_sound(part)
            continue
        if not any(_is_annotated(part, hint, axes) for hint in get_args(hints[name]) or (hints[name],)):
            found = f"{_type_of(part)} of shape {tuple(part.shape)}"
            raise TypeError(f"{name} is {found}, expected {_spoken(hints[name], axes)}")
        _require_finite(part, name)


def _is_annotated(part: Tensor, hint: Any, axes: dict[str, int]) -> bool:
    """Whether an array has the type and shape of one annotation, with axes as long as they were before.

    `jaxtyping` would do that too, but imports jax for it wherever that is installed, which takes seconds.
    """
    if not hasattr(hint, "dim_str"):
        return hint is Tensor
    names = hint.dim_str.split()
    return (
        _type_of(part) in hint.dtypes
        and len(names) == part.dim()
        and all(
            length == (int(name) if name.isdigit() else axes.setdefault(name, length))
            for name, length in zip(names, part.shape, strict=True)
        )
    )


def _require_finite(values: Tensor, name: str) -> None:
    if values.is_floating_point() and not all(piece.isfinite().all() for piece in values.reshape(-1).split(AT_ONCE)):
        rows = values.reshape(len(values) if values.dim() else 1, -1)
        bad = int((~rows.isfinite()).any(dim=1).sum())
        raise ValueError(f"{bad} of {len(rows)} rows of {name} hold NaN or infinity")


def _type_of(part: Tensor) -> str:
    return str(part.dtype).removeprefix("torch.")


def _spoken(hint: Any, axes: Mapping[str, int]) -> str:
    """Return an annotation in words, such as `float32 of shape (row 40, d_model)`."""
    kinds = [each for each in get_args(hint) or (hint,) if hasattr(each, "dim_str")]
    if not kinds:
        return "no array"
    names = [f"{name} {axes[name]}" if name in axes else name for name in kinds[0].dim_str.split()]
    return f"{' or '.join(kinds[0].dtypes)} of shape ({', '.join(names)})"


def _reason(misfit: Exception) -> str:
    match misfit:
        case ValidationError():
            return first_mistake(misfit)
        case KeyError():
            return f"it lacks {', '.join(map(str, misfit.args))}"
        case StopIteration():
            return "it lacks a parent that it needs"
        case _:
            return str(misfit) or type(misfit).__name__
