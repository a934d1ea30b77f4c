import math
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from importlib import import_module
from inspect import signature
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest

from dtinterp.cli.commands import COMMANDS
from dtinterp.commands.models.train_model import train_model
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import SEEDS
from dtinterp.model.config import TrainConfig
from environments.registration import WorldError

HOSTILE = (math.nan, math.inf, -math.inf, -1, -1e30, 10**12)
BELOW_ZERO = ("target_return", "returns", "level", "least_log_likelihood")
ALLOWED = {**{name: {-1} for name in BELOW_ZERO}, **{name: {10**12} for name in SEEDS}}
"""What may be meant after all: worlds may punish, pre-activations be low, and a seed may be any number from 0."""


def parts(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation is made of."""
    match get_origin(annotation):
        case None:
            yield annotation
        case origin if origin is Annotated:
            yield from parts(get_args(annotation)[0])
        case origin if origin in (Union, UnionType, tuple):
            for part in get_args(annotation):
                yield from parts(part)


@cache
def configs() -> tuple[type, ...]:
    """Return every dataclass that a command's options are read into."""
    found: dict[type, None] = {}

    def visit(annotation: Any) -> None:
        for kind in parts(annotation):
            if is_dataclass(kind) and isinstance(kind, type) and kind not in found:
                found[kind] = None
                for inner in get_type_hints(kind, include_extras=True).values():
                    visit(inner)

    for command in COMMANDS.values():
        module, _, name = command.function.partition(":")
        function = getattr(import_module(module), name)
        hints = get_type_hints(function, include_extras=True)
        for parameter in signature(function).parameters:
            visit(hints[parameter])
    return tuple(found)


def required(config: type) -> dict[str, Any]:
    """Return something possible for each setting without a default."""
    hints = get_type_hints(config)
    bare = [field for field in fields(config) if field.default is MISSING and field.default_factory is MISSING]
    return {field.name: _possible(hints[field.name]) for field in bare}


def _possible(annotation: Any) -> Any:
    if get_origin(annotation) is tuple:
        return tuple(range(len(get_args(annotation))))
    first = next(parts(annotation))
    return 1 if first in (int, float) else first()


def hostile(config: type, field: Field) -> Iterator[Any]:
    """Yield settings that hold a number which nobody means."""
    annotation = get_type_hints(config)[field.name]
    kinds = [kind for kind in parts(annotation) if kind in (int, float)]
    for number in HOSTILE if kinds else ():
        if kinds[0] is int and not math.isfinite(number):
            continue
        if number in ALLOWED.get(field.name, ()):
            continue
        value = kinds[0](number)
        yield (value,) * max(1, len(kinds)) if get_origin(annotation) is tuple else value


@pytest.mark.parametrize("config", configs(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_number_of_every_config_is_refused_by_name_where_nobody_can_mean_it(config):
    config(**required(config))
    for field in fields(config):
        for value in hostile(config, field):
            with pytest.raises((UserError, WorldError), match=field.name):
                config(**{**required(config), field.name: value})


def test_the_walk_finds_the_configs():
    names = {config.__name__ for config in configs()}
    assert names >= {"StudyConfig", "EquivalenceConfig", "ModelConfig", "TopK", "ActingConfig", "Variations"}
    assert sum(len(fields(config)) for config in configs()) > 150


@pytest.mark.parametrize("setting", [{"probe_returns": (math.nan,)}, {"n_calibration_episodes": -1}])
def test_numbers_that_stand_in_no_config_are_refused_too(tmp_path, setting):
    with pytest.raises(UserError, match=next(iter(setting))):
        train_model(TrainConfig(), tmp_path / "demonstrations", tmp_path / "model", **setting)
