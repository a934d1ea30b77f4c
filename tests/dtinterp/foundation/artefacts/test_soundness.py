import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from jaxtyping import Float32, Int64
from pydantic import TypeAdapter
from torch import Tensor, nn

from dtinterp.foundation.artefacts.soundness import (
    require_equally_many,
    require_sound,
    require_within,
    understanding,
)
from dtinterp.foundation.errors import UserError

PLACE = Path("somewhere")


@dataclass(frozen=True)
class Table:
    value: Float32[Tensor, "row 2"]
    step: Int64[Tensor, " row"]
    weight: Float32[Tensor, ""] | None = None


@dataclass(frozen=True)
class Shelf:
    tables: tuple[Table, ...]
    name: str = "shelf"


GOOD = Table(torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64), torch.tensor(1.0))


def test_what_is_as_annotated_is_sound() -> None:
    require_sound(GOOD)
    require_sound((Shelf((GOOD, Table(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)))), "words", None))


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (Table(torch.zeros(3, 3), GOOD.step), r"value is float32 of shape \(3, 3\), expected float32 of shape"),
        (Table(torch.zeros(3, 2).double(), GOOD.step), "value is float64"),
        (Table(torch.zeros(6), GOOD.step), r"value is float32 of shape \(6,\)"),
        (Table(GOOD.value, GOOD.step[:2]), r"step is int64 of shape \(2,\), expected int64 of shape \(row 3\)"),
        (Table(GOOD.value, GOOD.step.float()), "step is float32"),
        (Table(GOOD.value, GOOD.step, torch.zeros(1)), "weight is float32"),
    ],
)
def test_another_type_or_shape_is_told(table: Table, reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        require_sound(Shelf((GOOD, table)))


def test_numbers_that_are_none_are_told() -> None:
    with pytest.raises(ValueError, match="3 of 3 rows of value hold NaN or infinity"):
        require_sound(Table(torch.full((3, 2), math.nan), GOOD.step))
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.bias[0] = math.inf
    with pytest.raises(ValueError, match="1 of 2 rows of bias hold NaN or infinity"):
        require_sound(layer)


@pytest.mark.parametrize(
    ("fails", "reason"),
    [
        (lambda _: {}["label"], r"it lacks label"),
        (lambda _: TypeAdapter(int).validate_python("x"), "the whole is 'x' .Input should be a valid integer"),
        (lambda _: next(iter(())), "it lacks a parent that it needs"),
        (lambda _: torch.zeros(2) @ torch.zeros(3), "inconsistent tensor size"),
        (lambda _: [][3], "list index out of range"),
    ],
)
def test_what_does_not_fit_is_told_in_one_sentence(fails, reason: str) -> None:
    with (
        pytest.raises(UserError, match=rf"^somewhere is no thing that this version understands \({reason}.*\): make"),
        understanding(PLACE, "thing"),
    ):
        fails(PLACE)


def test_a_sentence_of_ones_own_stays() -> None:
    with pytest.raises(UserError, match=r"^a sentence\.$"), understanding(PLACE, "thing"):
        raise UserError("a sentence.")


def test_advice_can_be_other() -> None:
    with (
        pytest.raises(UserError, match=r"\(it lacks x\): remove it\.$"),
        understanding(PLACE, "run", advice="remove it"),
    ):
        _ = {}["x"]


def test_counts_that_differ_are_named() -> None:
    require_equally_many(words=2, worths=2)
    with pytest.raises(ValueError, match="there are 2 of words, 3 of worths, expected equally many"):
        require_equally_many(words=2, worths=3)


def test_ranges_are_told_and_nothing_is_within_any() -> None:
    require_within("codes", torch.tensor([]), 0, 1)
    require_within("codes", torch.tensor([0, 1]), 0, 1)
    for outside in ([2], [-1], [math.nan]):
        with pytest.raises(ValueError, match="codes runs from"):
            require_within("codes", torch.tensor(outside), 0, 1)
