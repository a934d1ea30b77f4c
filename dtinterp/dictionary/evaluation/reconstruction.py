"""FVU, cosine, MSE and L0 of rows against what is written in their place, as every report card has them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor

from dtinterp.dictionary.codes import Codes
from dtinterp.dictionary.dictionary import SparseLayer, encode, reconstruct
from dtinterp.dictionary.rows.distinct import distinct_rows, effective_rank_of, rank_of
from dtinterp.foundation.bootstrap import Resampled
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval

Columns: TypeAlias = dict[str, Float64[np.ndarray, " _"]]
"""A number for each row that is judged, by name."""


@dataclass(frozen=True)
class Inputs:
    """How many different things a table of rows shows, to be held against a dictionary's width."""

    n_rows: int
    n_distinct: int
    """distinct rows, see `distinct_rows`"""
    rank: int
    """rank of the distinct rows, not centred"""
    effective_rank: float
    """`exp(-sum_i p_i log p_i)`, with p_i the share of singular value i of the distinct, centred rows (Roy & Vetterli
    2007, EUSIPCO): the number of directions if all were equally strong"""


@dataclass(frozen=True)
class ReconstructionCard:
    """How rows y are written as y', with m the mean row and z the code.

    Means and sums run over rows. Intervals are 95% percentile bootstraps over clusters of rows, and their n is the
    number of clusters; m is that of all rows in every draw.
    """

    l0: Interval
    """mean of `#{f: z_f != 0}`: active features; 0 for a linear map, which has none"""
    fvu: Interval
    """`sum |y - y'|^2 / sum |y - m|^2`: the fraction of variance unexplained"""
    cosine: Interval
    """mean of `y . y' / (|y| |y'|)`, 0 where either is zero"""
    mse: Interval
    """mean of `|y - y'|^2`, in squared units of the rows"""
    dead_share: float
    """share of features that no row activates; 0 for a linear map"""
    inputs: Inputs
    """what it was judged on"""
    width: int

    def warnings_on(self, fitted: Inputs, *, n_unseen: int, is_unseen_judged: bool) -> tuple[str, ...]:
        """Return what makes the card worth less than it looks; `n_unseen` rows equal none of the fit's."""
        found = []
        if self.width > fitted.n_distinct:
            found.append(
                f"width {self.width} exceeds the {fitted.n_distinct} distinct inputs of the fit: each may have a "
                "feature of its own, so sparsity may be mere memory"
            )
        if n_unseen == 0:
            found.append("every held-out row is an input of the fit: nothing here tells learning from memory")
        elif not is_unseen_judged:
            found.append(
                f"of the held-out rows {n_unseen} are no input of the fit, all alike: too few to tell learning from "
                "memory"
            )
        if self.dead_share > 0.5:
            found.append(f"{self.dead_share:.0%} of the features are dead: the width in use is far smaller")
        return tuple(found)


@dataclass(frozen=True)
class Reconstruction:
    """Rows beside what is written in their place, and the codes that it is written from.

    Numbers are subtracted in the precision that rows have, and added up in float64.
    """

    rows: Float[Tensor, "row d_out"]
    made: Float[Tensor, "row d_out"]
    codes: Codes
    width: int

    @classmethod
    def by(
        cls, layer: SparseLayer, inputs: Float32[Tensor, "row d_in"], outputs: Float32[Tensor, "row d_out"]
    ) -> "Reconstruction":
        """Return what `layer` makes of inputs, beside the outputs; those of a dictionary are its inputs."""
        codes = encode(layer, inputs)
        return cls(outputs, reconstruct(layer, inputs, codes), codes, layer.width)

    def double(self) -> "Reconstruction":
        """Return the same in float64, so that nothing is lost in differences either."""
        return replace(self, rows=self.rows.double(), made=self.made.double())

    @property
    def squared_error(self) -> Float64[Tensor, "row d_out"]:
        """`(y - y')^2`."""
        return (self.rows - self.made).double().square()

    @property
    def squared_spread(self) -> Float64[Tensor, "row d_out"]:
        """`(y - m)^2`."""
        return (self.rows - self.rows.mean(dim=0)).double().square()

    @property
    def cosine(self) -> Float[Tensor, " row"]:
        """`y . y' / (|y| |y'|)` of each row, 0 where either is zero."""
        length = (self.rows.norm(dim=1) * self.made.norm(dim=1)).double()
        return (self.rows * self.made).sum(dim=1) / length.clamp_min(1e-300)

    @property
    def errors(self) -> dict[str, Tensor]:
        """Columns of which the measures of a card are ratios."""
        return {
            "row": torch.ones(len(self.rows)),
            "active": self.codes.n_active,
            "error": self.squared_error.sum(dim=1),
            "spread": self.squared_spread.sum(dim=1),
        }

    @property
    def fvu(self) -> float:
        """The fraction of variance unexplained."""
        return float(self.squared_error.sum() / self.squared_spread.sum())

    @property
    def dead_share(self) -> float:
        """The share of features that no row activates; 0 where there is none."""
        n_alive = len(self.codes.index[self.codes.value != 0].unique())
        return 1 - n_alive / self.width if self.width else 0.0

    def card(self, resampled: Resampled, inputs: Inputs) -> ReconstructionCard:
        """Return what is on every card, from draws of `errors` and `cosine`."""
        return ReconstructionCard(
            l0=resampled.ratio("active", "row"),
            fvu=resampled.ratio("error", "spread"),
            cosine=resampled.ratio("cosine", "row"),
            mse=resampled.ratio("error", "row"),
            dead_share=self.dead_share,
            inputs=inputs,
            width=self.width,
        )


def numbers(columns: Mapping[str, Tensor]) -> Columns:
    """Return columns as `resample` takes them."""
    return {name: column.detach().double().cpu().numpy() for name, column in columns.items()}


def inputs_of(rows: Float32[Tensor, "row d_model"]) -> Inputs:
    """Return how many rows, distinct rows and dimensions a table has."""
    distinct = distinct_rows(rows).value
    return Inputs(len(rows), len(distinct), rank_of(distinct), effective_rank_of(distinct))


def require_variety(inputs: Inputs) -> None:
    """Raise `UserError` where rows are all alike: there is no variance of which an error could be a share."""
    if inputs.n_distinct < 2:
        n_rows = inputs.n_rows
        what = "The one row to judge on has" if n_rows == 1 else f"The {n_rows} rows to judge on are all alike and have"
        raise UserError(f"{what} no variance, expected at least 2 distinct rows: judge on more varied ones.")


def is_among(rows: Float32[Tensor, "row d_model"], others: Float32[Tensor, "other d_model"]) -> Bool[Tensor, " row"]:
    """Return for each row whether it is one of `others`, to the tolerance of `distinct_rows`."""
    member = distinct_rows(torch.cat([others, rows])).member
    return torch.isin(member[len(others) :], member[: len(others)])
