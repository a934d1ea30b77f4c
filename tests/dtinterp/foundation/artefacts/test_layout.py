from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.foundation.artefacts.layout import ABSENT, Layout, Stored, holds_tensors, plain


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Round:
    radius: float


@dataclass(frozen=True)
class Square:
    side: int
    title: str = "square"


@dataclass(frozen=True)
class Named:
    label: Float32[Tensor, " frame"]
    name: str


@dataclass(frozen=True)
class Table:
    value: Float32[Tensor, " row"]
    n_rows: int
    extra: Float32[Tensor, " row"] | None = None


@dataclass(frozen=True)
class Whole:
    """One of everything."""

    name: str
    colours: tuple[Colour, ...]
    shape: Round | Square
    table: Table
    worlds: tuple[Named, ...]
    by_layer: Mapping[str, Table]
    weights: Mapping[str, Tensor]
    stack: tuple[Tensor, ...]
    maybe: Table | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    is_control: bool = False


TABLE = Table(torch.arange(3.0), 3)
WHOLE = Whole(
    name="whole",
    colours=(Colour.RED, Colour.BLUE),
    shape=Square(2),
    table=TABLE,
    worlds=(Named(torch.zeros(2), "sight"), Named(torch.ones(2), "depth")),
    by_layer={"b": TABLE, "a": Table(torch.zeros(1), 1, torch.ones(1))},
    weights={"W": torch.eye(2)},
    stack=(torch.zeros(1), torch.ones(2)),
    counts={"x": 1},
)


def same(first: Any, second: Any) -> bool:
    if isinstance(first, Tensor):
        return isinstance(second, Tensor) and first.dtype == second.dtype and torch.equal(first, second)
    if is_dataclass(first):
        return type(first) is type(second) and all(
            same(getattr(first, each.name), getattr(second, each.name)) for each in fields(first)
        )
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return type(first) is type(second) and first == second


def stored_by(layout: Layout, value: object) -> Stored:
    stored = Stored()
    layout.split(value, type(value), stored)
    return Stored(plain(stored.config), plain(stored.metrics), {}, stored.tensors)


LAYOUTS = {
    "without rules": Layout(),
    "with rules": Layout(
        places={
            "table": "config",
            "shape": "config.drawn",
            "counts": "metrics",
            "worlds.*.name": "config.worlds.*",
            "is_control": "config.is_control?",
        },
        tensors={"table": "table/", "worlds.*.label": "world/{name}", "maybe.value": "perhaps"},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("maybe", [None, TABLE])
@pytest.mark.parametrize("worlds", [(), WHOLE.worlds])
def test_what_is_split_is_joined_again(layout: Layout, maybe: Table | None, worlds: tuple[Named, ...]) -> None:
    value = Whole(**{**vars(WHOLE), "maybe": maybe, "worlds": worlds})
    assert same(layout.join(Whole, stored_by(layout, value)), value)


def test_without_rules_json_stands_in_the_config_and_tensors_have_their_paths() -> None:
    stored = stored_by(Layout(), WHOLE)
    assert stored.config == {
        "name": "whole",
        "colours": ["red", "blue"],
        "shape": {"type": "Square", "side": 2, "title": "square"},
        "table": {"n_rows": 3},
        "worlds": [{"name": "sight"}, {"name": "depth"}],
        "by_layer": {"b": {"n_rows": 3}, "a": {"n_rows": 1}},
        "weights": {"W": None},
        "stack": [None, None],
        "counts": {"x": 1},
        "is_control": False,
    }
    assert not stored.metrics
    assert sorted(stored.tensors) == [
        "by_layer.a.extra",
        "by_layer.a.value",
        "by_layer.b.value",
        "stack.0",
        "stack.1",
        "table.value",
        "weights.W",
        "worlds.0.label",
        "worlds.1.label",
    ]


def test_rules_say_where_fields_stand() -> None:
    stored = stored_by(LAYOUTS["with rules"], WHOLE)
    assert stored.config["n_rows"] == 3
    assert stored.config["worlds"] == ["sight", "depth"]
    assert "is_control" not in stored.config
    assert stored.config["drawn"] == {"type": "Square", "side": 2, "title": "square"}
    assert stored.metrics == {"x": 1}
    assert {"table/value", "world/sight", "world/depth"} <= stored.tensors.keys()


def test_what_older_files_lack_is_its_default_none_or_what_the_layout_says() -> None:
    layout = Layout(lacking={"config.shape": {"side": 5}})
    stored = stored_by(layout, WHOLE)
    del stored.config["counts"], stored.config["shape"]["side"]
    found = layout.join(Whole, stored)
    assert (found.counts, found.maybe, found.table.extra, found.shape) == ({}, None, None, Square(5))


def test_a_part_that_is_missing_is_named() -> None:
    stored = stored_by(Layout(), WHOLE)
    del stored.tensors["worlds.1.label"]
    with pytest.raises(KeyError, match=r"worlds\.1\.label"):
        Layout().join(Whole, stored)
    assert Layout().join(Whole, Stored()) is ABSENT


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("shape", {"type": "Star"}, r"config\.shape is of type Star, expected one of Round, Square"),
        ("shape", {"type": "Round", "radius": "x"}, r"config\.shape\.radius is 'x' \(Input should be a valid number"),
        ("shape", {"type": "Round"}, r"config\.shape\.radius is missing"),
        ("colours", ["red", 3], r"config\.colours\.1 is 3 \("),
        ("table", {"n_rows": None}, r"config\.table\.n_rows is None \("),
    ],
)
def test_a_value_that_is_none_of_its_type_is_named_with_its_place(name: str, value: object, reason: str) -> None:
    stored = stored_by(Layout(), WHOLE)
    stored.config[name] = value
    with pytest.raises(ValueError, match=f"^{reason}"):
        Layout().join(Whole, stored)


def test_the_name_of_a_parent_is_read_and_never_written() -> None:
    layout = Layout(places={"name": "parents.model"})
    stored = stored_by(layout, Named(torch.zeros(1), "novice"))
    assert not stored.config
    assert layout.join(Named, Stored(parents={"model": "novice"}, tensors=stored.tensors)).name == "novice"


def test_types_that_hold_tensors_are_told_from_others() -> None:
    assert holds_tensors(Whole)
    assert holds_tensors(tuple[Named, ...] | None)
    assert not holds_tensors(Round | Square)
    assert not holds_tensors(Mapping[str, int])
