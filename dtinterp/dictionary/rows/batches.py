"""Batches of normalised, weighted rows, and streams of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Normalised rows and how much each counts; the weights of a table sum to one.

    All members of a stack see one table, or each its own, as many rows and as long as the others'.
    """

    rows: Float32[Tensor, "*member row d_model"]
    weight: Float32[Tensor, "*member row"]
    d_in: int | None = None
    """how many numbers of a row are what a layer reads, where the others are what it writes; None: rows are both"""

    @property
    def read(self) -> "Batch":
        """What is read."""
        return self if self.d_in is None else Batch(self.rows[..., : self.d_in].contiguous(), self.weight)

    @property
    def written(self) -> "Batch":
        """What is to be written."""
        return self if self.d_in is None else Batch(self.rows[..., self.d_in :].contiguous(), self.weight)

    @property
    def lengths(self) -> tuple[int, int]:
        """How many numbers are read and how many are written."""
        d_row = self.rows.shape[-1]
        return (d_row, d_row) if self.d_in is None else (self.d_in, d_row - self.d_in)

    def of(self, member: int) -> "Batch":
        """Return what one member sees."""
        return self if self.weight.ndim == 1 else replace(self, rows=self.rows[member], weight=self.weight[member])

    def mean(self, values: Float[Tensor, "*member row"]) -> Float[Tensor, "*member"]:
        """Return the weighted mean over rows."""
        return values @ self.weight if self.weight.ndim == 1 else torch.linalg.vecdot(values, self.weight)

    @property
    def mean_row(self) -> Float32[Tensor, "*member 1 d_model"]:
        """Weighted mean of the rows."""
        return self.weight[..., None, :] @ self.rows

    @cached_property
    def spread(self) -> Float[Tensor, "*member"]:
        """Weighted mean of `|x - m|^2`, with m the weighted mean row."""
        return self.mean((self.rows - self.mean_row).square().sum(dim=-1)).clamp_min(1e-12)


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

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return the state of the generator."""
        return {"state": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Draw on from there."""
        self.generator.set_state(state["state"])

    def draw(self, n_rows: int) -> Batch:
        """Return rows drawn in proportion to weight, which then weigh alike; the table where it has no more rows."""
        table = self.table
        if len(table.rows) <= n_rows:
            return table
        chosen = drawn(self.cumulative, n_rows, self.generator)
        return replace(table, rows=table.rows[chosen], weight=table.weight.new_full((n_rows,), 1 / n_rows))


def drawn(cumulative: Float64[Tensor, " row"], number: int, generator: torch.Generator) -> Int64[Tensor, " drawn"]:
    """Return places drawn, with replacement, in proportion to what `cumulative` rises by there."""
    place = torch.rand(number, generator=generator, dtype=torch.float64).to(cumulative.device)
    return torch.searchsorted(cumulative, place * cumulative[-1], right=True).clamp_max(len(cumulative) - 1)


def stacked(batches: Sequence[Batch]) -> Batch:
    """Return what members see of which each has its own batch, all of one shape; one table where it is the same."""
    first = batches[0]
    if all(each is first for each in batches):
        return first
    rows, weight = (torch.stack([getattr(each, name) for each in batches]) for name in ("rows", "weight"))
    return replace(first, rows=rows, weight=weight)


def geometric_median(batch: Batch, n_rounds: int = 20) -> Float32[Tensor, " d_model"]:
    """Return the point of least mean distance to the rows, after `n_rounds` steps from their mean (Weiszfeld 1937)."""
    median = batch.weight @ batch.rows
    for _ in range(n_rounds):
        pull = batch.weight / (batch.rows - median).norm(dim=1).clamp_min(1e-6)
        median = (pull / pull.sum()) @ batch.rows
    return median
