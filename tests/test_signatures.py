"""Signatures are checked while the tests run."""

from collections.abc import Iterator

import pytest
import torch
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from dtinterp.equivalence.partition import partition_of
from dtinterp.foundation.statistics import Interval
from environments.vocabulary import one_hot
from tests.signatures import checked


def test_functions_and_dataclasses_of_the_packages_are_checked():
    with pytest.raises(TypeCheckError, match="label"):
        partition_of(torch.zeros(3), "halves")
    with pytest.raises(TypeCheckError, match="frames"):
        one_hot(torch.zeros(3))
    with pytest.raises(TypeCheckError, match="estimate"):
        Interval(torch.tensor(0.5), 0.0, 1.0, 3)  # pyright: ignore[reportArgumentType]


def test_checks_can_be_left_out_as_outside_of_tests(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    assert partition_of(torch.zeros(3), "halves").n_classes == 1
    assert Interval(torch.tensor(0.5), 0.0, 1.0, 3).n == 3  # pyright: ignore[reportArgumentType]


def test_an_axis_has_one_length_in_a_signature_and_another_in_the_next_call():
    @checked
    def kept(rows: Float[Tensor, "row d"], scale: Float[Tensor, " d"], n: int) -> Float[Tensor, "row d"]:
        return rows[:n] * scale

    for width in (3, 4):
        assert kept(torch.ones(2, width), torch.ones(width), 2).shape == (2, width)
    with pytest.raises(TypeCheckError, match="scale"):
        kept(torch.ones(2, 3), torch.ones(1), 2)
    with pytest.raises(TypeCheckError, match="return"):
        kept(torch.ones(2, 3), torch.ones(3), 1)


def test_what_is_iterated_over_has_its_lengths_for_itself():
    @checked
    def rows_of(table: Float[Tensor, "row d"]) -> Iterator[Float[Tensor, " d"]]:
        yield from table

    pairs = zip(rows_of(torch.ones(2, 3)), rows_of(torch.ones(2, 4)), strict=True)
    assert [(len(a), len(b)) for a, b in pairs] == [(3, 4), (3, 4)]
