"""A dictionary, held-out rows and a network's answers become the dictionary's report card."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from dtinterp.dictionary.card import HeldOut
from dtinterp.dictionary.dictionary import Codes, Dictionary, decode, encode, reconstruct
from dtinterp.dictionary.distinct import distinct_rows, rank_of
from dtinterp.dictionary.resampling import Resampled, resample
from dtinterp.dictionary.rows import RowSource, as_rows
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval

RowEdit: TypeAlias = Callable[[Float[Tensor, "row d_model"]], Float[Tensor, "row d_model"]]
"""What is put in place of the rows inside the network."""
LogitsWith: TypeAlias = Callable[[RowEdit | None], Float[Tensor, "row action"]]
"""The network's answer at each row with an edit in place; with None, untouched."""


@dataclass(frozen=True)
class Behaviour:
    """How well the next action is predicted while something stands in place of the rows."""

    loss: Interval
    """mean of `-log p(target action)`, in nats"""
    accuracy: Interval
    """share of rows whose most likely action is the target action"""
    kl: Interval
    """mean of `KL(p_clean || p) = sum_a p_clean log(p_clean / p)`, in nats; 0 when nothing is edited"""


@dataclass(frozen=True)
class DictionaryScore:
    """What a dictionary keeps of its rows, and of what the network does with them.

    With x a row, x' its reconstruction and m the mean over the rows. Intervals are 95% percentile bootstraps over
    clusters of rows, and their n is the number of clusters.
    """

    l0: Interval
    """mean number of active features"""
    fvu: Interval
    """`sum |x - x'|^2 / sum |x - m|^2`: the fraction of variance unexplained"""
    dead_share: float
    """share of features that no row activates"""
    clean: Behaviour
    """rows as they are"""
    spliced: Behaviour
    """x' in place of x"""
    zero: Behaviour
    """0 in place of x"""
    mean: Behaviour
    """m in place of x"""
    loss_recovered_from_zero: Interval | None
    """`(L_zero - L_spliced) / (L_zero - L_clean)`; None where zeros do not reliably raise the loss"""
    loss_recovered_from_mean: Interval | None
    """the same against the mean"""
    n_rows: int
    n_distinct: int
    """distinct rows, see `distinct_rows`"""
    rank: int
    """rank of the distinct rows, not centred"""
    width: int
    held_out: HeldOut | None = None
    """how rows are written, on all held-out rows and on those that the fit never saw; None where the fit's rows were
    not at hand"""

    @property
    def width_exceeds_inputs(self) -> bool:
        """Whether there is a feature for every distinct row, so that sparsity may be mere memory."""
        return self.width > self.n_distinct


def score(
    dictionary: Dictionary,
    rows: RowSource,
    *,
    target_action: Int64[Tensor, " row"],
    logits_with: LogitsWith,
    generator: np.random.Generator,
    cluster: Int64[Tensor, " row"] | None = None,
) -> DictionaryScore:
    """Return the report card of `dictionary` on `rows`, which should be held out.

    `logits_with(edit)` runs the network with `edit` applied to all of `rows` and answers in their order. `cluster`
    tells which rows are drawn together, such as their episode; without it every row stands alone. Raises `UserError`
    on rows of another length or with NaN, or where the counts disagree.
    """
    table = as_rows(rows)
    codes = encode(dictionary, table)
    _check_counts(len(table), target_action, cluster)
    own_cluster = torch.arange(len(table)) if cluster is None else cluster
    columns = _row_columns(table, decode(dictionary, codes), codes)
    columns |= _arm_columns(dictionary, table, target_action, logits_with)
    resampled = resample(columns, own_cluster.cpu().numpy(), generator)
    distinct = distinct_rows(table)
    return DictionaryScore(
        l0=resampled.ratio("active", "row"),
        fvu=resampled.ratio("error", "spread"),
        dead_share=1 - len(codes.index[codes.value != 0].unique()) / dictionary.width,
        clean=_behaviour(resampled, "clean"),
        spliced=_behaviour(resampled, "spliced"),
        zero=_behaviour(resampled, "zero"),
        mean=_behaviour(resampled, "mean"),
        loss_recovered_from_zero=_recovered(resampled, "zero"),
        loss_recovered_from_mean=_recovered(resampled, "mean"),
        n_rows=len(table),
        n_distinct=len(distinct.value),
        rank=rank_of(distinct.value),
        width=dictionary.width,
    )


def _check_counts(n_rows: int, target_action: Tensor, cluster: Tensor | None) -> None:
    if len(target_action) != n_rows:
        raise UserError(f"There are {len(target_action)} target actions for {n_rows} rows: give one for each row.")
    if cluster is not None and len(cluster) != n_rows:
        raise UserError(f"There are {len(cluster)} cluster labels for {n_rows} rows: give one for each row.")


def _row_columns(
    rows: Float32[Tensor, "row d_model"], reconstruction: Float32[Tensor, "row d_model"], codes: Codes
) -> dict[str, Float64[np.ndarray, " row"]]:
    columns = {
        "row": torch.ones(len(rows)),
        "active": codes.n_active,
        "error": (rows - reconstruction).double().square().sum(dim=1),
        "spread": (rows - rows.mean(dim=0)).double().square().sum(dim=1),
    }
    return {name: _numbers(column) for name, column in columns.items()}


def _arm_columns(
    dictionary: Dictionary,
    rows: Float32[Tensor, "row d_model"],
    target_action: Int64[Tensor, " row"],
    logits_with: LogitsWith,
) -> dict[str, Float64[np.ndarray, " row"]]:
    mean = rows.mean(dim=0)
    arms: dict[str, RowEdit | None] = {
        "clean": None,
        "spliced": lambda intact: reconstruct(dictionary, intact),
        "zero": torch.zeros_like,
        "mean": lambda intact: mean.expand_as(intact).clone(),
    }
    answers = {arm: _log_probability(logits_with(edit), len(rows)) for arm, edit in arms.items()}
    columns: dict[str, Float64[np.ndarray, " row"]] = {}
    for arm, answer in answers.items():
        gap = answers["clean"] - answer  # row action
        columns[f"{arm} loss"] = _numbers(-answer.gather(1, target_action.to(answer.device)[:, None]).squeeze(1))
        columns[f"{arm} hit"] = _numbers(answer.argmax(dim=1) == target_action.to(answer.device))
        columns[f"{arm} kl"] = _numbers((answers["clean"].exp() * gap).sum(dim=1))
    return columns


def _log_probability(logits: Float[Tensor, "row action"], n_rows: int) -> Float64[Tensor, "row action"]:
    if len(logits) != n_rows:
        raise ValueError(f"the network answered for {len(logits)} rows, expected {n_rows}")
    return logits.double().log_softmax(dim=1)


def _numbers(column: Tensor) -> Float64[np.ndarray, " row"]:
    return column.detach().double().cpu().numpy()


def _behaviour(resampled: Resampled, arm: str) -> Behaviour:
    return Behaviour(*(resampled.ratio(f"{arm} {measure}", "row") for measure in ("loss", "hit", "kl")))


def _recovered(resampled: Resampled, ablation: str) -> Interval | None:
    worst = f"{ablation} loss"
    if resampled.interval(lambda total: (total[worst] - total["clean loss"]) / total["row"]).low <= 0:
        return None
    return resampled.interval(
        lambda total: (total[worst] - total["spliced loss"]) / (total[worst] - total["clean loss"])
    )
