"""YAML files read as pydantic models, or one sentence on the first thing that is wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    GetCoreSchemaHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError, core_schema

from dtinterp.foundation.artefacts.reading import DEPTH, read_text
from dtinterp.foundation.errors import UserError, nearest

SPECIFICATION_BYTES = 2**18
"""A hundred times what an experiment or a sweep takes; the scanner of YAML is slow on what is made to be."""
LONGEST_REASON = 500
"""Characters of what the parser says."""

UNKNOWN_FIELD, UNTOLD = "unknown_field", "untold"
"""Types of the errors for a field that there is not, and for what is no member of a union."""

SpecificationT = TypeVar("SpecificationT", bound=BaseModel)
EntryT = TypeVar("EntryT")


class Data(BaseModel):
    """What a file says, frozen; in Python a field has its name, in a file its word, which for most is the same."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, fields: Any) -> Any:
        """Refuse a field that there is not, naming the one that looks most like it."""
        known = {name: field.alias or name for name, field in cls.model_fields.items()}
        for word in fields if isinstance(fields, dict) else ():
            if word not in known and word not in known.values():
                among = f"{', '.join(known.values())}{nearest(word, known.values())}"
                raise PydanticCustomError(UNKNOWN_FIELD, "{word} is none of {among}", {"word": word, "among": among})
        return fields

    @model_serializer(mode="wrap")
    def _with_kind(self, handler: Callable[[Any], Any]) -> Any:
        """Say the kind, by which a file tells one of several, also where it is the default."""
        said = handler(self)
        return {"kind": self.__dict__["kind"], **said} if "kind" in type(self).model_fields else said

    @property
    def said(self) -> dict[str, Any]:
        """What a file says for it, without what is understood anyhow."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


@dataclass(frozen=True)
class ToldBy:
    """Tells the members of a union apart, as an annotation of it: by which of these keys an object has.

    A member is tagged with its key, which is the word of its first field.
    """

    keys: tuple[str, ...]
    of: str
    """what the members are, such as `edit`"""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Return the schema of the union, before which the keys are looked at."""
        union = Discriminator(self._key).__get_pydantic_core_schema__(source, handler)
        return core_schema.no_info_before_validator_function(self._checked, union)

    def _key(self, value: Any) -> str | None:
        if isinstance(value, BaseModel):
            name, field = next(iter(type(value).model_fields.items()))
            return field.alias or name
        return next(iter(self._found(value)), None)

    def _found(self, value: Any) -> list[str]:
        return [key for key in self.keys if isinstance(value, dict) and key in value]

    def _checked(self, value: Any) -> Any:
        """Refuse what has none of the keys, naming the one that looks most like the first word, or several."""
        found = self._found(value)
        if isinstance(value, BaseModel) or len(found) == 1:
            return value
        word = next(iter(value), "nothing") if isinstance(value, dict) else value
        wrong = f"{' and '.join(found)} stand together" if found else f"{word!r} is no {self.of}"
        among = ", ".join(self.keys) + ("" if found else nearest(word, self.keys))
        raise PydanticCustomError(UNTOLD, "{wrong}, expected one of {among}", {"wrong": wrong, "among": among})


def distinct(entries: tuple[EntryT, ...]) -> tuple[EntryT, ...]:
    """Return the entries of a field as they are; raises ValueError, as pydantic wants it, where one is there twice."""
    if len(set(entries)) < len(entries):
        raise ValueError("an entry stands there twice, expected distinct ones")
    return entries


def read_yaml(path: Path, kind: type[SpecificationT], *, name: str) -> SpecificationT:
    """Read and check a file of this name, such as `experiment.yaml`, wherever it lies.

    Raises `UserError` for the first thing that is wrong with it.
    """
    return understood(fields_of(path, name=name, such_as=next(iter(kind.model_fields))), kind, whence=str(path))


def fields_of(path: Path, *, name: str, such_as: str = "question") -> dict[str, Any]:
    """Read the fields of a file of this name. Raises `UserError` where it holds none."""
    if not path.is_file():
        raise UserError(f"there is no {name} at {path}: give the path of one.")
    fields = _parsed(read_text(path, at_most=SPECIFICATION_BYTES), path)
    if not isinstance(fields, dict):
        found = {type(None): "nothing", list: "a list"}.get(type(fields), "a single value")
        raise UserError(f"{path} holds {found}, expected fields such as `{such_as}: …`: write them.")
    return fields


def understood(fields: object, kind: Any, *, whence: str) -> Any:
    """Return what fields say, as a model or any other type that pydantic knows.

    Raises `UserError` for the first thing that is wrong with them.
    """
    try:
        return TypeAdapter(kind).validate_python(fields)
    except ValidationError as error:
        raise UserError(f"{whence}: {_sentence(error.errors()[0])}") from None


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


def _sentence(error: ErrorDetails) -> str:
    field = ".".join(str(part) for part, _ in groupby(error["loc"]))  # what a union is told by stands there twice
    match error["type"]:
        case "unknown_field" if "ctx" in error:
            name = f"{field}.{error['ctx']['word']}".lstrip(".")
            return f"the field {name!r} is unknown, expected {error['ctx']['among']}: remove or rename it."
        case "untold":
            return f"{field}: {error['msg']}: correct it.".removeprefix(": ")
        case "missing":
            return f"the field {field!r} is missing: add it."
        case "value_error" if not field:
            return f"{error['ctx']['error']}: change one of them." if "ctx" in error else error["msg"]
        case "value_error":
            reason = str(error["ctx"]["error"]) if "ctx" in error else error["msg"]
            return f"{field} is {error['input']!r}: {reason.rstrip('.')}; correct it."
        case _:
            return f"{field} is {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}; correct it."
