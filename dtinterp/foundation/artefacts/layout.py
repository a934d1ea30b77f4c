"""Where each field of a value stands in its artefact: in the config, in the metrics, or among the tensors.

A layout holds rules from a path of fields to a place. The longest path that fits counts, and what is left of the path
is added to the place; `*` stands for the number of a tuple's part. Without rules all that JSON can say stands in the
config under its own path, and a tensor is named by its path, such as `swaps.mean`.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from dtinterp.foundation.artefacts.soundness import first_mistake, hints_of

Keys: TypeAlias = tuple[str | int, ...]
ABSENT = object()
"""What is found where nothing is stored."""
NOTHING: Mapping[str, Any] = MappingProxyType({})
DUMPED = TypeAdapter(object)
TYPE, LINEAGE = "type", "parents"
"""Where JSON names which of several dataclasses a value is; where the names of the parents stand."""


@dataclass(frozen=True)
class Stored:
    """What an artefact holds."""

    config: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    parents: dict[str, Any] = field(default_factory=dict)
    """names of the parents by kind"""
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def put(self, place: Keys, value: object) -> None:
        """Let a value stand at a place; an object joins the fields that stand there already."""
        tree: Any = vars(self)
        for key in place[:-1]:
            tree = tree.setdefault(key, {})
        there = tree.get(place[-1])
        tree[place[-1]] = there | value if isinstance(there, dict) and isinstance(value, dict) else value

    def at(self, place: Keys) -> Any:
        """Return what stands at a place; `ABSENT` where nothing does."""
        tree: Any = vars(self)
        for key in place:
            match tree, key:
                case Mapping(), str() if key in tree:
                    tree = tree[key]
                case list() | tuple(), int() if key < len(tree):
                    tree = tree[key]
                case _:
                    return ABSENT
        return tree


@dataclass(frozen=True)
class Layout:
    """The rules of one kind of artefact."""

    places: Mapping[str, str] = field(default_factory=dict)
    """of what JSON can say, such as `config.certify`, `metrics`, or `parents.dictionary`, which is only read; where it
    ends in `?`, None and False are left out"""
    tensors: Mapping[str, str] = field(default_factory=dict)
    """how names begin; `{name}` stands for the field `name` beside the tensor"""
    lacking: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """fields that older files lack, by place"""

    def split(
        self, value: Any, hint: Any, stored: Stored, path: Keys = (), beside: Mapping[str, Any] = NOTHING
    ) -> None:
        """Add a value of a type to what is stored."""
        if isinstance(value, Tensor):
            stored.tensors[self._name(path, beside)] = value
        elif not self._is_divided(hint, path):
            self._put(path, _said(value, hint), stored)
        elif value is not None:
            parts = _parts(value, _only(hint))
            beside = {str(key): part for key, (part, _) in parts.items()}
            if not parts:
                self._put(path, [] if isinstance(value, tuple) else {}, stored)
            for key, (part, hint_of_part) in parts.items():
                if not is_dataclass(value):  # which parts there are is told by the JSON
                    self._put((*path, key), None if isinstance(part, Tensor) else {}, stored)
                self.split(part, hint_of_part, stored, (*path, key), beside)

    def join(self, hint: Any, stored: Stored, path: Keys = (), beside: Mapping[str, Any] = NOTHING) -> Any:
        """Return the value of a type that is stored; `ABSENT` where nothing of it is. Raises `KeyError` for a part."""
        if not self._is_divided(hint, path):
            return self._understood(hint, stored, path)
        if any(map(_is_tensor, _choices(hint))):
            return stored.tensors.get(self._name(path, beside), ABSENT)
        kind = _only(hint)
        if is_dataclass(kind):
            return self._made(kind, stored, path)
        there, hints = stored.at(self._place(path)), get_args(kind)
        if there is ABSENT:
            return ABSENT
        if get_origin(kind) is tuple:
            return tuple(_required(self.join(hints[0], stored, (*path, n)), (*path, n)) for n in range(len(there)))
        return {key: _required(self.join(hints[1], stored, (*path, key)), (*path, key)) for key in there}

    def _made(self, kind: Any, stored: Stored, path: Keys) -> Any:
        hints, found, given = hints_of(kind), {}, [each for each in fields(kind) if each.init]
        for each in sorted(given, key=lambda each: holds_tensors(hints[each.name])):  # a name may need what JSON says
            value = self.join(hints[each.name], stored, (*path, each.name), found)
            if value is not ABSENT:
                found[each.name] = value
        if not found:
            return ABSENT
        for each in given:
            if each.name not in found and each.default is MISSING and each.default_factory is MISSING:
                is_optional = NoneType in get_args(hints[each.name])
                found[each.name] = None if is_optional else _required(ABSENT, (*path, each.name))
        return kind(**found)

    def _is_divided(self, hint: Any, path: Keys) -> bool:
        """Whether parts of a value have places of their own: those of the whole, tensors, and what has rules."""
        above = f"{'.'.join(map(str, path))}."
        return not path or holds_tensors(hint) or any(rule.startswith(above) for rule in self.places)

    def _name(self, path: Keys, beside: Mapping[str, Any]) -> str:
        beginning, rest = _ruled({"": ""} | dict(self.tensors), path)
        return beginning.format_map(beside) + ".".join(map(str, rest))

    def _place(self, path: Keys) -> Keys:
        rule, rest = _ruled({"": "config"} | dict(self.places), path)
        numbers = (key for key in path if isinstance(key, int))
        return *(next(numbers) if key == "*" else key for key in rule.rstrip("?").split(".")), *rest

    def _put(self, path: Keys, value: Any, stored: Stored) -> None:
        is_left_out = self.places.get(".".join(map(str, path)), "").endswith("?") and value in (None, False)
        place = self._place(path)
        if place[0] != LINEAGE and not is_left_out:
            stored.put(place, value)

    def _understood(self, hint: Any, stored: Stored, path: Keys) -> Any:
        """Return what JSON says of a type. Raises ValueError, naming the place, where that is none."""
        place = self._place(path)
        found, more = stored.at(place), self.lacking.get(".".join(map(str, place)))
        if more is not None and isinstance(found, Mapping):
            found = {**more, **found}
        kinds = {each.__name__: each for each in _choices(hint) if isinstance(each, type) and is_dataclass(each)}
        if len(kinds) > 1 and isinstance(found, Mapping):
            name = str(found.get(TYPE))
            if name not in kinds:
                raise ValueError(f"{'.'.join(map(str, place))} is of type {name}, expected one of {', '.join(kinds)}")
            hint = kinds[name]
        try:
            return found if found is ABSENT else _validator(hint)(found)
        except ValidationError as mistakes:
            raise ValueError(first_mistake(mistakes, place)) from None


def plain(value: Any) -> Any:
    """Return what was put at numbered places as lists."""
    if not isinstance(value, dict):
        return value
    parts = {key: plain(part) for key, part in value.items()}
    return list(parts.values()) if parts and all(isinstance(key, int) for key in parts) else parts


@cache
def holds_tensors(hint: Any) -> bool:
    """Whether a value of a type may have tensors in it."""
    if _is_tensor(hint):
        return True
    inner = hints_of(hint).values() if isinstance(hint, type) and is_dataclass(hint) else get_args(hint)
    return any(map(holds_tensors, inner))


def _is_tensor(hint: Any) -> bool:
    return hint is Tensor or hasattr(hint, "dim_str")


@cache
def _validator(hint: Any) -> Callable[[object], Any]:
    return TypeAdapter(hint).validate_python


def _choices(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union but None; of any other type that type."""
    is_union = get_origin(hint) in (Union, UnionType)
    return tuple(each for each in get_args(hint) if each is not NoneType) if is_union else (hint,)


def _only(hint: Any) -> Any:
    (kind,) = _choices(hint)
    return kind


def _parts(value: Any, kind: Any) -> dict[str | int, tuple[Any, Any]]:
    """Return the parts of a dataclass, tuple or mapping, each with its type."""
    if is_dataclass(value):
        return {
            each.name: (getattr(value, each.name), hints_of(kind)[each.name]) for each in fields(value) if each.init
        }
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    hint = get_args(kind)[isinstance(value, Mapping)]
    return {key: (part, hint) for key, part in pairs}


def _said(value: Any, hint: Any) -> Any:
    """Return a value as JSON says it; one of several dataclasses with the name of its type."""
    said = DUMPED.dump_python(value, mode="json")
    is_named = sum(map(is_dataclass, _choices(hint))) > 1 and value is not None
    return {TYPE: type(value).__name__, **said} if is_named else said


def _ruled(rules: Mapping[str, str], path: Keys) -> tuple[str, Keys]:
    """Return what the rule of the longest path says, and what is left of the path."""
    starred = ["*" if isinstance(key, int) else key for key in path]
    length = next(n for n in range(len(path), -1, -1) if ".".join(starred[:n]) in rules)
    return rules[".".join(starred[:length])], path[length:]


def _required(value: Any, path: Keys) -> Any:
    if value is ABSENT:
        raise KeyError(".".join(map(str, path)))
    return value
