"""What is sealed becomes values that make sense, or one sentence on why it does not.

A seal says that nothing changed since it was written, not that it was ever sensible: anybody can seal anything. So what
a loader reads is held against the types, shapes and rules of the values that it makes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, get_type_hints

from jaxtyping import jaxtyped
from pydantic import ValidationError
from torch import Tensor, nn

from dtinterp.foundation.errors import UserError

LONGEST_REASON = 300
"""Characters that are told of what does not fit."""
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

Wanted = ParamSpec("Wanted")
Value = TypeVar("Value")
Loader = Callable[Concatenate[Path, Wanted], Value]


def understood(kind: str) -> Callable[[Loader[Wanted, Value]], Loader[Wanted, Value]]:
    """Return a decorator for loaders of `kind`: what they return has the types and shapes that it says.

    The loader then raises `UserError` also where what it reads is sealed, but makes no such value.
    """

    def guarded(load: Loader[Wanted, Value]) -> Loader[Wanted, Value]:
        @wraps(load)
        def loaded(path: Path, /, *arguments: Wanted.args, **options: Wanted.kwargs) -> Value:
            try:
                value = load(path, *arguments, **options)
                require_sound(value)
            except MISFITS as misfit:
                raise misunderstood(path, kind, misfit) from None
            return value

        return loaded

    return guarded


def misunderstood(path: Path, kind: str, misfit: Exception) -> UserError:
    """Return what to tell the user of something sealed that makes no `kind`."""
    reason = " ".join(_reason(misfit).split()).rstrip(".:;")
    return UserError(
        f"{path} is no {kind} that this version understands ({reason[:LONGEST_REASON]}): make it again with this "
        "version, or give another one."
    )


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
        case _ if is_dataclass(value) and not isinstance(value, type):
            _require_annotated(value)


def require_equally_many(**counts: int) -> None:
    """Raise ValueError where things that belong to each other, named with their numbers, are not equally many."""
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise ValueError(f"there are {found}, expected equally many")


def require_within(name: str, values: Tensor, low: float, high: float) -> None:
    """Raise ValueError where one of some numbers lies outside of `low` to `high`, or is none."""
    if values.numel() and not (low <= float(values.min()) and float(values.max()) <= high):
        raise ValueError(
            f"{name} runs from {float(values.min()):g} to {float(values.max()):g}, expected {low:g} to {high:g}"
        )


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _require_annotated(value: Any) -> None:
    hints = _hints(type(value))
    parts = {field.name: getattr(value, field.name) for field in fields(value)}
    with jaxtyped("context"):
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, hints[name]):
                found = f"{str(part.dtype).removeprefix('torch.')} of shape {tuple(part.shape)}"
                raise TypeError(f"{name} is {found}, expected {_spoken(hints[name])}")
    for name, part in parts.items():
        if isinstance(part, Tensor):
            _require_finite(part, name)
        else:
            require_sound(part)


def _require_finite(values: Tensor, name: str) -> None:
    if values.is_floating_point() and not values.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinity")


def _spoken(hint: Any) -> str:
    """Return an annotation as it is written, such as `Float32[Tensor, 'row d_model']`."""
    return str(getattr(hint, "__name__", hint)).replace("torch.", "")


def _reason(misfit: Exception) -> str:
    match misfit:
        case ValidationError():
            first: Mapping[str, Any] = misfit.errors(include_url=False, include_context=False)[0]
            place: Sequence[object] = first["loc"]
            return f"{'.'.join(map(str, place)) or 'its config'}: {first['msg']}"
        case KeyError():
            return f"it lacks {', '.join(map(str, misfit.args))}"
        case StopIteration():
            return "it lacks a parent that it needs"
        case _:
            return str(misfit) or type(misfit).__name__
