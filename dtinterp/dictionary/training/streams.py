"""A table of rows becomes an endless stream of batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from dtinterp.dictionary.training.initialization import Batch


@dataclass(frozen=True)
class Stream:
    """Rows from which batches are drawn, always the same ones from the same generator."""

    table: Batch
    generator: torch.Generator
    """on the CPU"""

    @cached_property
    def cumulative(self) -> Float64[Tensor, " row"]:
        """How much the rows up to each count."""
        return self.table.weight.double().cumsum(0)

    def choose(self, n_rows: int) -> Int64[Tensor, " row"] | None:
        """Return `n_rows` places drawn in proportion to weight; None where there are no more rows: all of them."""
        if len(self.table.rows) <= n_rows:
            return None
        return drawn(self.cumulative, n_rows, self.generator)

    def draw(self, n_rows: int) -> Batch:
        """Return the rows that `choose` finds, which weigh alike; where it is all of them, with their weights."""
        return at(self.table, self.choose(n_rows))


def drawn(cumulative: Float64[Tensor, " row"], number: int, generator: torch.Generator) -> Int64[Tensor, " drawn"]:
    """Return places drawn, with replacement, in proportion to what `cumulative` rises by there."""
    place = torch.rand(number, generator=generator, dtype=torch.float64).to(cumulative.device)
    return torch.searchsorted(cumulative, place * cumulative[-1], right=True).clamp_max(len(cumulative) - 1)


def at(table: Batch, chosen: Int64[Tensor, " row"] | None) -> Batch:
    """Return the rows at drawn places, which weigh alike; all rows with their weights where none were drawn."""
    if chosen is None:
        return table
    return Batch(table.rows[chosen], table.weight.new_full((len(chosen),), 1 / len(chosen)))


def beside(batches: Sequence[Batch]) -> Batch:
    """Return what members see of which each has its own batch, all of one shape; one table where it is the same."""
    first = batches[0]
    if all(each is first for each in batches):
        return first
    return Batch(torch.stack([each.rows for each in batches]), torch.stack([each.weight for each in batches]))
