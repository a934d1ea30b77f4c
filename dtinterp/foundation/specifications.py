"""YAML files read as pydantic models, or one sentence on the first thing that is wrong."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dtinterp.foundation.artefacts.reading import DEPTH, read_text
from dtinterp.foundation.errors import UserError

SPECIFICATION_BYTES = 2**18
"""A hundred times what an experiment or a sweep takes; the scanner of YAML is slow on what is made to be."""
LONGEST_REASON = 500
"""Characters of what the parser says."""

SpecificationT = TypeVar("SpecificationT", bound=BaseModel)
EntryT = TypeVar("EntryT")


def distinct(entries: tuple[EntryT, ...]) -> tuple[EntryT, ...]:
    """Return the entries of a field as they are; raises ValueError, as pydantic wants it, where one is there twice."""
    if len(set(entries)) < len(entries):
        raise ValueError("an entry stands there twice, expected distinct ones")
    return entries


def read_yaml(path: Path, kind: type[SpecificationT], *, name: str) -> SpecificationT:
    """Read and check a file of this name, such as `experiment.yaml`, wherever it lies.

    Raises `UserError` for the first thing that is wrong with it.
    """
    if not path.is_file():
        raise UserError(f"there is no {name} at {path}: give the path of one.")
    fields = _parsed(read_text(path, at_most=SPECIFICATION_BYTES), path)
    if not isinstance(fields, dict):
        found = {type(None): "nothing", list: "a list"}.get(type(fields), "a single value")
        first = next(iter(kind.model_fields))
        raise UserError(f"{path} holds {found}, expected fields such as `{first}: …`: write them.")
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise UserError(f"{path}: {_sentence(error.errors()[0], kind)}") from None


def _parsed(text: str, path: Path) -> object:
    """Return what YAML says; what is made to cost more than it weighs is refused before it is built."""
    try:
        _require_plain(text, path)
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        raise UserError(f"{path} is not YAML ({reason}): correct it.") from None


def _require_plain(text: str, path: Path) -> None:
    """Raise `UserError` for aliases, a few hundred bytes of which stand for gigabytes, and for deep nesting."""
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        depth += isinstance(token, _BEGINS) - isinstance(token, _ENDS)
        if isinstance(token, yaml.AliasToken):
            raise UserError(f"{path} has the alias *{token.value[:40]}: write out what it stands for.")
        if depth > DEPTH:
            raise UserError(f"{path} has more than {DEPTH} levels, which no such file needs: write it flatter.")


_BEGINS = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_ENDS = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


def _sentence(error: ErrorDetails, kind: type[BaseModel]) -> str:
    field = ".".join(str(part) for part in error["loc"])
    match error["type"]:
        case "extra_forbidden":
            return f"the field {field!r} is unknown, expected {', '.join(_known(error, kind))}: remove or rename it."
        case "missing":
            return f"the field {field!r} is missing: add it."
        case "value_error" if not field:
            return f"{error['ctx']['error']}: change one of them." if "ctx" in error else error["msg"]
        case "value_error":
            reason = str(error["ctx"]["error"]) if "ctx" in error else error["msg"]
            return f"{field} is {error['input']!r}: {reason.rstrip('.')}; correct it."
        case _:
            return f"{field} is {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}; correct it."


def _known(error: ErrorDetails, kind: type[BaseModel]) -> list[str]:
    """Return the fields beside which the unknown one stands."""
    for part in error["loc"][:-1]:
        inner = kind.model_fields[str(part)].annotation
        assert isinstance(inner, type), f"{part} is no model of its own"
        assert issubclass(inner, BaseModel), f"{part} is no model of its own"
        kind = inner
    return list(kind.model_fields)
