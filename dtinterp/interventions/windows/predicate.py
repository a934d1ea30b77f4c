"""What must be true where a window ends: facts by name, and the values that they may have."""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

import torch
from jaxtyping import Bool, Shaped
from pydantic import StrictInt, StrictStr
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.windows.chosen import place_of_fact
from environments.families.registry import FACT_VALUES

Value: TypeAlias = Annotated[StrictInt | StrictStr, "a number, or its word such as key"]
Where: TypeAlias = Mapping[StrictStr, Value | tuple[Value, ...]]
"""By fact, its value or several of which it must have one, such as {instruction: key, x: [4, 5]}."""


def agrees(facts: Shaped[Tensor, "row fact"], names: Sequence[str], where: Where) -> Bool[Tensor, " row"]:
    """Return which rows have the facts that are asked for. Raises `UserError` for an unknown fact or value."""
    found = torch.ones(len(facts), dtype=torch.bool)
    for name, asked in where.items():
        column = facts[:, place_of_fact(name, names)].long()
        values = asked if isinstance(asked, tuple) else (asked,)
        found &= torch.isin(column, torch.tensor([number_of(name, value) for value in values]))
    return found


def number_of(fact: str, value: int | str) -> int:
    """Return a value as facts have it. Raises `UserError` for a word that the fact does not know."""
    if isinstance(value, int):
        return value
    known = FACT_VALUES.get(fact, ())
    if value not in known:
        expected = f"one of {', '.join(known)}" if known else "a whole number"
        raise UserError(f"the fact {fact} is {value!r}, expected {expected}: give such a value.")
    return known.index(value)


def word_of(fact: str, number: int) -> str:
    """Return a value as a reader knows it, such as `key`."""
    known = FACT_VALUES.get(fact, ())
    return known[number] if 0 <= number < len(known) else str(number)


def telling(facts: Shaped[Tensor, "row fact"], names: Sequence[str], *, beside: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the facts, other than those `beside`, that are not the same in all rows."""
    return tuple(
        name for name, column in zip(names, facts.T, strict=True) if name not in beside and len(column.unique()) > 1
    )
