"""A part of some columns of a row: of one head, one neuron, or one entry of an attention pattern."""

from dataclasses import dataclass, replace
from typing import Annotated

import torch
from jaxtyping import Float32, Int64
from pydantic import Field, StrictInt
from torch import Tensor

from dtinterp.activations.sites import PAIRS, PER_HEAD, SCALE, shape_at
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.specifications import Data
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.parts.part import Part
from dtinterp.interventions.slots import ABSENT, SlotChoice, SlotName, TokenKind, slot_number, slots_of, tokens_of
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class OfHead(Part):
    """A part of what one head has at a site with an axis of heads."""

    head: int
    n_heads: int
    inner: Part

    def read(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row coordinate"]:
        """Return the part's coordinates in the head's columns."""
        return self.inner.read(rows[:, self._columns(rows)])

    def moved(
        self, rows: Float32[Tensor, "row column"], by: Float32[Tensor, "row coordinate"]
    ) -> Float32[Tensor, "row column"]:
        """Return the rows with the head's columns changed."""
        columns, changed = self._columns(rows), rows.clone()
        changed[:, columns] = self.inner.moved(rows[:, columns], by)
        return changed

    def require_site(self, model: DecisionTransformer, site: str) -> None:
        """Raise `UserError` where the site has no heads, or the model has not so many."""
        shape = shape_at(model, site)
        if isinstance(self.inner, Key):
            self.inner.require_site(model, site)
        if site.rpartition(".")[2] not in PER_HEAD:
            raise UserError(f"{site} has no axis of heads, expected a site such as blocks.0.attn.hook_z: give one.")
        if not 0 <= self.head < shape[0]:
            raise UserError(f"the head is {self.head}, expected 0 to {shape[0] - 1}: {site} has no more.")

    def in_windows(self, windows: Windows) -> "OfHead":
        """Return the part for a run on just these windows."""
        return replace(self, inner=self.inner.in_windows(windows))

    def of_rows(self, window: Int64[Tensor, " row"]) -> "OfHead":
        """Return the part of the rows that stand in these windows."""
        return replace(self, inner=self.inner.of_rows(window))

    def _columns(self, rows: Float32[Tensor, "row column"]) -> slice:
        width = rows.shape[1] // self.n_heads
        return slice(self.head * width, (self.head + 1) * width)


@dataclass(frozen=True)
class Neuron(Part):
    """One number of a row: a neuron at a site of an MLP, elsewhere a column."""

    number: int

    def read(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row coordinate"]:
        """Return the number."""
        return rows[:, self.number, None]

    def moved(
        self, rows: Float32[Tensor, "row column"], by: Float32[Tensor, "row coordinate"]
    ) -> Float32[Tensor, "row column"]:
        """Return the rows with the number changed."""
        changed = rows.clone()
        changed[:, self.number] += by[:, 0]
        return changed

    def require_site(self, model: DecisionTransformer, site: str) -> None:
        """Raise `UserError` where rows are not so long, or have heads."""
        (*heads, width) = shape_at(model, site)
        if heads or site.rpartition(".")[2] == SCALE:
            raise UserError(f"{site} has no neurons, expected a site such as blocks.0.mlp.hook_post: give one.")
        if not 0 <= self.number < width:
            raise UserError(f"the neuron is {self.number}, expected 0 to {width - 1}: {site} has no more.")


@dataclass(frozen=True)
class Key(Part):
    """What a head's query pays to one key: the entry of an attention pattern, or of the scores before the softmax.

    A pattern that was edited sums no longer to 1; scores that were edited still give one that does.
    """

    slot: SlotChoice
    """of the key, in each window; where a window has none there, nothing is edited"""
    tokens: slice
    """where a sequence has tokens of the key's kind"""
    column: Int64[Tensor, " row"] | None = None
    """the key's token in each window; known for a run on just these"""

    def read(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row coordinate"]:
        """Return the entry, 0 where there is none."""
        column = self._chosen(rows)
        return torch.where(column >= 0, rows.gather(1, column.clamp(min=0)), 0.0)  # row 1

    def moved(
        self, rows: Float32[Tensor, "row column"], by: Float32[Tensor, "row coordinate"]
    ) -> Float32[Tensor, "row column"]:
        """Return the rows with the entry changed."""
        column = self._chosen(rows)
        return rows.scatter_add(1, column.clamp(min=0), torch.where(column >= 0, by, 0.0))

    def require_site(self, model: DecisionTransformer, site: str) -> None:
        """Raise `UserError` at a site that shows no pairs of tokens."""
        shape_at(model, site)
        if not site.endswith(PAIRS):
            raise UserError(
                f"{site} shows no pairs of tokens, expected a site such as blocks.0.attn.hook_pattern: give one."
            )

    def in_windows(self, windows: Windows) -> "Key":
        """Return the part for a run on just these windows."""
        slot = slot_number(self.slot(windows))
        column = torch.where(slot >= 0, self.tokens.start + self.tokens.step * slot, ABSENT)
        return replace(self, column=column)

    def of_rows(self, window: Int64[Tensor, " row"]) -> "Key":
        """Return the part of the rows that stand in these windows."""
        return self if self.column is None else replace(self, column=self.column[window])

    def _chosen(self, rows: Float32[Tensor, "row column"]) -> Int64[Tensor, "row 1"]:
        assert self.column is not None, "which token the key is depends on the windows"
        return self.column[:, None].expand(len(rows), 1)


class Entry(Data):
    """Which entry of an attention pattern."""

    head: Annotated[StrictInt, Field(ge=0)]
    key: SlotName
    """slot of the token that is attended to"""
    token: TokenKind = "observation"
    """which of its tokens"""


class Pattern(Data):
    """What one head pays to one token, at hook_pattern or hook_attn_scores."""

    pattern: Entry

    def part(self, names: Bindings) -> Part:
        """Return the part."""
        config = names.model.cfg
        return OfHead(
            self.pattern.head, config.n_heads, Key(slots_of(self.pattern.key), tokens_of(config, self.pattern.token))
        )
