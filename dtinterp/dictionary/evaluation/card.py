"""Report card of a dictionary on held-out rows, without a network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from dtinterp.dictionary.codes import Codes
from dtinterp.dictionary.dictionary import Dictionary, decode, encode
from dtinterp.dictionary.rows.distinct import distinct_rows, effective_rank_of, rank_of
from dtinterp.dictionary.rows.table import RowSource, check_rows, rows_at
from dtinterp.foundation.bootstrap import Resampled, resample
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval

DENSITY_EDGES = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Bins of the histogram of densities: up to and including each edge, from above the one before; the first are dead."""
Columns: TypeAlias = Mapping[str, Float64[np.ndarray, " row"]]


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
class RowCard:
    """How a dictionary writes rows, with x a row, x' its reconstruction, e = x - x', z its code and m the mean row.

    Means and sums run over rows. Intervals are 95% percentile bootstraps over clusters of rows, and their n is the
    number of clusters; m and the mean error are those of all rows in every draw. Draws for which a number is not
    defined, such as a ratio over rows of zeros alone, are left out of its interval.
    """

    l0: Interval
    """mean of `#{f: z_f != 0}`: active features"""
    l1: Interval
    """mean of `sum_f |z_f| |W_dec[f]|`, in normalised units"""
    fvu: Interval
    """`sum |e|^2 / sum |x - m|^2`: the fraction of variance unexplained"""
    explained_variance: Interval
    """`1 - sum |e - mean e|^2 / sum |x - m|^2`: above 1 - FVU by what a constant offset would mend"""
    cosine: Interval
    """mean of `x . x' / (|x| |x'|)`, 0 where either is zero"""
    shrinkage: Interval
    """mean of `|x'| / |x|` over rows that are not zero; 1 keeps lengths"""
    relative_bias: Interval | None
    """`sum |x'|^2 / sum x . x'`: below 1 the reconstruction is too short even along itself (Rajamanoharan et al. 2024,
    arXiv:2404.16014, eq. 11); None where the lower sum is zero, as where nothing is
    reconstructed"""
    mse: Interval
    """mean of `|e|^2`, in squared units of the rows"""
    density: tuple[int, ...]
    """features by the share of rows in which they are active, in the bins of `DENSITY_EDGES`"""
    dead_share: float
    """share of features that no row activates"""
    coherence: float
    """mean over features of `max_{g != f} |cos(W_dec[f], W_dec[g])|`; 0 for orthogonal directions, or only one"""
    inputs: Inputs
    """what it was judged on"""
    width: int


@dataclass(frozen=True)
class HeldOut:
    """Report cards on all held-out rows and on those that are no input of the fit, and what to be wary of.

    Where rows are embeddings of frames, a distinct row is a distinct frame; at deeper sites it is a distinct context.
    """

    everything: RowCard
    unseen: RowCard | None
    """on rows that equal none of the fit's; None where there are none, or they are all alike and have no variance"""
    fitted: Inputs
    """what the dictionary was fitted to"""
    warnings: tuple[str, ...]
    """one sentence each; empty where nothing is wrong"""
    unseen_frame: RowCard | None = None
    """on rows whose own frame no row of the fit shows, whatever came before it; None where there are none, where they
    are all alike, or where nobody told"""


def inputs_of(rows: Float32[Tensor, "row d_model"]) -> Inputs:
    """Return how many rows, distinct rows and dimensions a table has."""
    distinct = distinct_rows(rows).value
    return Inputs(len(rows), len(distinct), rank_of(distinct), effective_rank_of(distinct))


def row_card(
    dictionary: Dictionary,
    rows: RowSource,
    *,
    generator: np.random.Generator,
    cluster: Int64[Tensor, " row"] | None = None,
) -> RowCard:
    """Return the report card of `dictionary` on `rows`, which should be held out.

    `cluster` tells which rows are drawn together, such as their episode; without it every row stands alone. Raises
    `UserError` on rows of another length, another site or with NaN, on rows that are all alike, which have no variance
    to explain, or where the counts disagree.
    """
    table, _ = rows_at(rows, dictionary.site)
    check_rows(table, dictionary.d_model)
    inputs = inputs_of(table)
    require_variety(inputs)
    if cluster is not None and len(cluster) != len(table):
        raise UserError(f"There are {len(cluster)} cluster labels for {len(table)} rows: give one for each row.")
    return _card(dictionary, table, inputs, cluster=cluster, generator=generator)


def require_variety(inputs: Inputs) -> None:
    """Raise `UserError` where rows are all alike: there is no variance of which an error could be a share."""
    if inputs.n_distinct < 2:
        n_rows = inputs.n_rows
        what = "The one row to judge on has" if n_rows == 1 else f"The {n_rows} rows to judge on are all alike and have"
        raise UserError(f"{what} no variance, expected at least 2 distinct rows: judge on more varied ones.")


def held_out_cards(
    dictionary: Dictionary,
    rows: RowSource,
    *,
    fitted: RowSource,
    generator: np.random.Generator,
    cluster: Int64[Tensor, " row"] | None = None,
    has_new_frame: Bool[Tensor, " row"] | None = None,
) -> HeldOut:
    """Return the cards on `rows` and on those of them that equal no row of `fitted`; see `row_card`.

    `has_new_frame` tells which rows show a frame that no row of the fit shows. Raises `UserError` where `row_card`
    does for all rows; a part that cannot be judged has no card.
    """
    (table, _), (learnt, _) = (rows_at(each, dictionary.site) for each in (rows, fitted))
    check_rows(learnt, dictionary.d_model)
    everything = row_card(dictionary, table, generator=generator, cluster=cluster)

    def card_of(chosen: Bool[Tensor, " row"] | None) -> RowCard | None:
        if chosen is None or not chosen.any():
            return None
        part = inputs_of(table[chosen])
        own = None if cluster is None else cluster[chosen]
        if part.n_distinct < 2:
            return None
        return _card(dictionary, table[chosen], part, cluster=own, generator=generator)

    _check_new_frames(has_new_frame, len(table))
    is_new = ~is_among(table, learnt)
    unseen, inputs = card_of(is_new), inputs_of(learnt)
    warnings = warnings_of(everything, unseen, inputs, n_unseen=int(is_new.sum()))
    return HeldOut(everything, unseen, inputs, warnings, card_of(has_new_frame))


def warnings_of(everything: RowCard, unseen: RowCard | None, fitted: Inputs, *, n_unseen: int) -> tuple[str, ...]:
    """Return what makes a report card worth less than it looks; `n_unseen` rows equal none of the fit's."""
    width, found = everything.width, []
    if width > fitted.n_distinct:
        found.append(
            f"width {width} exceeds the {fitted.n_distinct} distinct inputs of the fit: each may have a feature of "
            "its own, so sparsity may be mere memory"
        )
    if n_unseen == 0:
        found.append("every held-out row is an input of the fit: nothing here tells learning from memory")
    elif unseen is None:
        found.append(
            f"of the held-out rows {n_unseen} are no input of the fit, all alike: too few to tell learning from memory"
        )
    if everything.dead_share > 0.5:
        found.append(f"{everything.dead_share:.0%} of the features are dead: the width in use is far smaller")
    return tuple(found)


def is_among(rows: Float32[Tensor, "row d_model"], others: Float32[Tensor, "other d_model"]) -> Bool[Tensor, " row"]:
    """Return for each row whether it is one of `others`, to the tolerance of `distinct_rows`."""
    member = distinct_rows(torch.cat([others, rows])).member
    return torch.isin(member[len(others) :], member[: len(others)])


def coherence(W_dec: Float32[Tensor, "feature d_model"]) -> float:
    """Return the mean over features of the largest cosine, whatever its sign, with another feature."""
    if len(W_dec) < 2:
        return 0.0
    unit = torch.nn.functional.normalize(W_dec, dim=1)
    cosine = (unit @ unit.T).abs().fill_diagonal_(0)  # feature feature
    return float(cosine.amax(dim=1).mean())


def _card(
    dictionary: Dictionary,
    rows: Float32[Tensor, "row d_model"],
    inputs: Inputs,
    *,
    cluster: Int64[Tensor, " row"] | None,
    generator: np.random.Generator,
) -> RowCard:
    codes = encode(dictionary, rows)
    label = torch.arange(len(rows)) if cluster is None else cluster
    resampled = resample(_columns(dictionary, rows, codes), label.cpu().numpy(), generator)
    density = _density(codes, dictionary.width)
    return RowCard(
        **_intervals(resampled),
        relative_bias=resampled.ratio("made", "product") if resampled.whole["product"][0] else None,
        density=_histogram(density),
        dead_share=float((density == 0).double().mean()),
        coherence=coherence(dictionary.W_dec),
        inputs=inputs,
        width=dictionary.width,
    )


def _check_new_frames(has_new_frame: Bool[Tensor, " row"] | None, n_rows: int) -> None:
    if has_new_frame is not None and len(has_new_frame) != n_rows:
        raise UserError(f"has_new_frame tells of {len(has_new_frame)} rows, there are {n_rows}: tell it of each row.")


def _columns(dictionary: Dictionary, rows: Float32[Tensor, "row d_model"], codes: Codes) -> Columns:
    x, made = rows.double(), decode(dictionary, codes).double()
    error = x - made  # row d_model
    length, made_length, product = x.norm(dim=1), made.norm(dim=1), (x * made).sum(dim=1)
    price = (codes.value.abs() * dictionary.W_dec.norm(dim=1)[codes.index]).sum(dim=1)
    columns = {
        "row": torch.ones_like(length),
        "active": codes.n_active,
        "price": price,
        "error": error.square().sum(dim=1),
        "scatter": (error - error.mean(dim=0)).square().sum(dim=1),
        "spread": (x - x.mean(dim=0)).square().sum(dim=1),
        "cosine": product / (length * made_length).clamp_min(1e-300),
        "solid": length > 0,
        "shrinkage": torch.where(length > 0, made_length / length.clamp_min(1e-300), 0.0),
        "product": product,
        "made": made_length.square(),
    }
    return {name: column.detach().double().cpu().numpy() for name, column in columns.items()}


def _intervals(resampled: Resampled) -> dict[str, Interval]:
    unexplained = resampled.ratio("scatter", "spread")
    return {
        "l0": resampled.ratio("active", "row"),
        "l1": resampled.ratio("price", "row"),
        "fvu": resampled.ratio("error", "spread"),
        "explained_variance": replace(
            unexplained, estimate=1 - unexplained.estimate, low=1 - unexplained.high, high=1 - unexplained.low
        ),
        "cosine": resampled.ratio("cosine", "row"),
        "shrinkage": resampled.ratio("shrinkage", "solid"),
        "mse": resampled.ratio("error", "row"),
    }


def _density(codes: Codes, width: int) -> Float64[Tensor, " feature"]:
    count = torch.zeros(width, dtype=torch.float64, device=codes.value.device)
    return count.index_add_(0, codes.index.flatten(), (codes.value != 0).double().flatten()) / len(codes.index)


def _histogram(density: Float64[Tensor, " feature"]) -> tuple[int, ...]:
    edges = torch.tensor(DENSITY_EDGES, dtype=torch.float64, device=density.device)
    return tuple(torch.bincount(torch.bucketize(density, edges), minlength=len(DENSITY_EDGES)).tolist())
