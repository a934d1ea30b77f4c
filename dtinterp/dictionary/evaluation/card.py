"""Report card of a dictionary on held-out rows, without a network."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from dtinterp.dictionary.codes import Codes
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.reconstruction import (
    Columns,
    Inputs,
    Reconstruction,
    ReconstructionCard,
    inputs_of,
    is_among,
    numbers,
    require_variety,
)
from dtinterp.dictionary.rows.table import RowSource, check_rows, rows_at
from dtinterp.foundation.bootstrap import resample
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval

DENSITY_EDGES = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Bins of the histogram of densities: up to and including each edge, from above the one before; the first are dead."""


@dataclass(frozen=True)
class RowCard(ReconstructionCard):
    """How a dictionary writes rows, with x a row, x' its reconstruction, e = x - x', z its code and m the mean row.

    The mean error is that of all rows in every draw. Draws for which a number is not defined, such as a ratio over rows
    of zeros alone, are left out of its interval.
    """

    l1: Interval
    """mean of `sum_f |z_f| |W_dec[f]|`, in normalised units"""
    explained_variance: Interval
    """`1 - sum |e - mean e|^2 / sum |x - m|^2`: above 1 - FVU by what a constant offset would mend"""
    shrinkage: Interval
    """mean of `|x'| / |x|` over rows that are not zero; 1 keeps lengths"""
    relative_bias: Interval | None
    """`sum |x'|^2 / sum x . x'`: below 1 the reconstruction is too short even along itself (Rajamanoharan et al. 2024,
    arXiv:2404.16014, eq. 11); None where the lower sum is zero, as where nothing is
    reconstructed"""
    density: tuple[int, ...]
    """features by the share of rows in which they are active, in the bins of `DENSITY_EDGES`"""
    coherence: float
    """mean over features of `max_{g != f} |cos(W_dec[f], W_dec[g])|`; 0 for orthogonal directions, or only one"""


@dataclass(frozen=True)
class UnseenFrames:
    """Rows that each stand for a frame which no row of the fit shows, where rows are embeddings of frames; each once.

    Visits say little there: held-out episodes come by few such frames, and mostly by the same ones.
    """

    demonstrated: Float32[Tensor, "row d_model"]
    """of held-out episodes"""
    known: Float32[Tensor, "known d_model"]
    """of the world, where its states are known, demonstrated or not; else those that are demonstrated"""


@dataclass(frozen=True)
class HeldOut:
    """Report cards on all held-out rows and on those that are no input of the fit, and what to be wary of.

    Where rows are embeddings of frames, a distinct row is a distinct frame; at deeper sites it is a distinct context.
    """

    everything: RowCard
    unseen: RowCard | None
    """on rows that equal none of the fit's, at the embedding on each such frame of held-out episodes once; None where
    there are none, or they are all alike and have no variance"""
    fitted: Inputs
    """what the dictionary was fitted to"""
    warnings: tuple[str, ...]
    """one sentence each; empty where nothing is wrong"""
    unseen_frame: RowCard | None = None
    """on rows whose own frame no row of the fit shows, whatever came before it, at the embedding on each such frame of
    the world once; None where there are none, where they are all alike, or where nobody told"""


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


def held_out_cards(
    dictionary: Dictionary,
    rows: RowSource,
    *,
    fitted: RowSource,
    generator: np.random.Generator,
    cluster: Int64[Tensor, " row"] | None = None,
    new: Bool[Tensor, " row"] | UnseenFrames | None = None,
) -> HeldOut:
    """Return the cards on `rows` and on those of them that equal no row of `fitted`; see `row_card`.

    `new` tells which rows show a frame that no row of the fit shows; or where a row is a frame, which frames those are,
    and then they are judged in place of rows that equal none of the fit's. Raises `UserError` where `row_card` does for
    all rows; a part that cannot be judged has no card.
    """
    (table, _), (learnt, _) = (rows_at(each, dictionary.site) for each in (rows, fitted))
    check_rows(learnt, dictionary.d_model)
    everything, inputs = row_card(dictionary, table, generator=generator, cluster=cluster), inputs_of(learnt)

    def card_of(part: Float32[Tensor, "part d_model"], own: Int64[Tensor, " part"] | None = None) -> RowCard | None:
        judged = inputs_of(part) if len(part) else None
        if judged is None or judged.n_distinct < 2:
            return None
        return _card(dictionary, part, judged, cluster=own, generator=generator)

    def among(chosen: Bool[Tensor, " row"]) -> RowCard | None:
        return card_of(table[chosen], None if cluster is None else cluster[chosen])

    if isinstance(new, UnseenFrames):
        n_unseen, unseen, unseen_frame = len(new.demonstrated), card_of(new.demonstrated), card_of(new.known)
    else:
        _check_new_frames(new, len(table))
        is_new = ~is_among(table, learnt)
        n_unseen, unseen = int(is_new.sum()), among(is_new)
        unseen_frame = None if new is None else among(new)
    warnings = everything.warnings_on(inputs, n_unseen=n_unseen, is_unseen_judged=unseen is not None)
    return HeldOut(everything, unseen, inputs, warnings, unseen_frame)


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
    found = Reconstruction.by(dictionary, rows, rows).double()
    label = torch.arange(len(rows)) if cluster is None else cluster
    resampled = resample(_columns(dictionary, found), label.cpu().numpy(), generator)
    unexplained = resampled.ratio("scatter", "spread")
    return RowCard(
        **vars(found.card(resampled, inputs)),
        l1=resampled.ratio("price", "row"),
        explained_variance=replace(
            unexplained, estimate=1 - unexplained.estimate, low=1 - unexplained.high, high=1 - unexplained.low
        ),
        shrinkage=resampled.ratio("shrinkage", "solid"),
        relative_bias=resampled.ratio("made", "product") if resampled.whole["product"][0] else None,
        density=_histogram(_density(found.codes, dictionary.width)),
        coherence=coherence(dictionary.W_dec),
    )


def _check_new_frames(has_new_frame: Bool[Tensor, " row"] | None, n_rows: int) -> None:
    if has_new_frame is not None and len(has_new_frame) != n_rows:
        raise UserError(f"`new` tells of {len(has_new_frame)} rows, there are {n_rows}: tell it of each row.")


def _columns(dictionary: Dictionary, found: Reconstruction) -> Columns:
    x, made, codes = found.rows, found.made, found.codes
    error = x - made  # row d_model
    length, made_length = x.norm(dim=1), made.norm(dim=1)
    columns = {
        **found.errors,
        "price": (codes.value.abs() * dictionary.W_dec.norm(dim=1)[codes.index]).sum(dim=1),
        "scatter": (error - error.mean(dim=0)).square().sum(dim=1),
        "cosine": found.cosine,
        "solid": length > 0,
        "shrinkage": torch.where(length > 0, made_length / length.clamp_min(1e-300), 0.0),
        "product": (x * made).sum(dim=1),
        "made": made_length.square(),
    }
    return numbers(columns)


def _density(codes: Codes, width: int) -> Float64[Tensor, " feature"]:
    count = torch.zeros(width, dtype=torch.float64, device=codes.value.device)
    return count.index_add_(0, codes.index.flatten(), (codes.value != 0).double().flatten()) / len(codes.index)


def _histogram(density: Float64[Tensor, " feature"]) -> tuple[int, ...]:
    edges = torch.tensor(DENSITY_EDGES, dtype=torch.float64, device=density.device)
    return tuple(torch.bincount(torch.bucketize(density, edges), minlength=len(DENSITY_EDGES)).tolist())
