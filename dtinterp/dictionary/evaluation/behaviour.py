"""What a network's predictions lose when something stands in place of its rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from torch import Tensor

from dtinterp.dictionary.evaluation.reconstruction import Columns, numbers
from dtinterp.foundation.bootstrap import Resampled, resample
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval

RowEdit: TypeAlias = Callable[[Float[Tensor, "row d_model"]], Float[Tensor, "row d_model"]]
"""What is put in place of the rows inside the network."""
LogitsWith: TypeAlias = Callable[[RowEdit | None], Float[Tensor, "row action"]]
"""The network's answer at each row with an edit in place; with None, untouched."""
ARMS = ("clean", "spliced", "zero", "mean")


@dataclass(frozen=True)
class Behaviour:
    """How well the next action is predicted while something stands in place of the rows."""

    loss: Interval
    """mean of `-log p(target action)`, in nats"""
    accuracy: Interval
    """share of rows whose most likely action is the target action"""
    kl: Interval
    """mean of `KL(p_clean || p) = sum_a p_clean log(p_clean / p)`, in nats; 0 when nothing is edited"""
    logit_difference: Interval | None = None
    """mean of `logit(a) - logit(b)`, with a and b the two actions that the untouched network likes best at the row:
    negative where the edit turns its choice round; None in artefacts that did not record it"""


@dataclass(frozen=True)
class ConstantRow:
    """The edit that puts one row in place of every row."""

    value: Float[Tensor, " d_model"]

    def __call__(self, rows: Float[Tensor, "row d_in"]) -> Float[Tensor, "row d_model"]:
        """Return the row as often as there are rows."""
        return self.value.to(rows).expand(len(rows), -1).clone()


@dataclass(frozen=True)
class Effects:
    """The same answers with rows as they are, reconstructed, zero, and the mean row.

    Intervals are 95% percentile bootstraps over clusters of rows, and their n is the number of clusters.
    """

    clean: Behaviour
    spliced: Behaviour
    zero: Behaviour
    mean: Behaviour
    loss_recovered_from_zero: Interval | None
    """`(L_zero - L_spliced) / (L_zero - L_clean)`; None where zeros do not reliably raise the loss"""
    loss_recovered_from_mean: Interval | None
    """the same against the mean"""
    n_rows: int


@dataclass(frozen=True)
class Decisions:
    """Which rows are decision points, and what answers at every row with edits in place."""

    is_decision: Bool[Tensor, " row"]
    there: LogitsWith
    """with edits made at decision points alone"""
    everywhere: LogitsWith
    """with edits made at every row"""


@dataclass(frozen=True)
class AtDecisions:
    """Answers at the rows in which the task is decided."""

    there: Effects
    """edited at these rows alone"""
    everywhere: Effects
    """edited at every row, earlier ones in the same window too"""


def effects(
    edit: RowEdit,
    mean: Float32[Tensor, " d_model"],
    *,
    logits_with: LogitsWith,
    target_action: Int64[Tensor, " row"],
    cluster: Int64[Tensor, " row"],
    generator: np.random.Generator,
) -> Effects:
    """Return what `edit` costs beside zeros and `mean`; `cluster` tells which rows are drawn together."""
    columns = effect_columns(edit, mean, logits_with=logits_with, target_action=target_action)
    return effects_of(columns, cluster, generator)


def effects_of(columns: Columns, cluster: Int64[Tensor, " row"], generator: np.random.Generator) -> Effects:
    """Return the intervals of columns that `effect_columns` made."""
    resampled = resample({**columns, "row": np.ones(len(cluster))}, cluster.cpu().numpy(), generator)
    return Effects(
        **{arm: behaviour(resampled, arm) for arm in ARMS},
        loss_recovered_from_zero=recovered(resampled, "zero"),
        loss_recovered_from_mean=recovered(resampled, "mean"),
        n_rows=len(cluster),
    )


def effect_columns(
    edit: RowEdit,
    mean: Float32[Tensor, " d_model"],
    *,
    logits_with: LogitsWith,
    target_action: Int64[Tensor, " row"],
) -> Columns:
    """Return loss, hit, divergence and logit difference of each row under each arm, named `ARM MEASURE`."""
    edits: dict[str, RowEdit | None] = {
        "clean": None,
        "spliced": edit,
        "zero": torch.zeros_like,
        "mean": ConstantRow(mean),
    }
    answers = {arm: _checked(logits_with(each), target_action) for arm, each in edits.items()}
    favourites = answers["clean"].topk(2, dim=1).indices  # row 2
    clean = answers["clean"].log_softmax(dim=1)
    columns = {}
    for arm, logits in answers.items():
        log_p = logits.log_softmax(dim=1)
        best, second = logits.gather(1, favourites).unbind(dim=1)
        target = target_action.to(logits.device)
        columns[f"{arm} loss"] = -log_p.gather(1, target[:, None]).squeeze(1)
        columns[f"{arm} hit"] = logits.argmax(dim=1) == target
        columns[f"{arm} kl"] = (clean.exp() * (clean - log_p)).sum(dim=1)
        columns[f"{arm} difference"] = best - second
    return numbers(columns)


def chosen(columns: Columns, is_chosen: Bool[Tensor, " row"]) -> Columns:
    """Return the columns of some rows, which are then all the rows there are."""
    mask = is_chosen.cpu().numpy()
    return {name: column[mask] for name, column in columns.items()}


def behaviour(resampled: Resampled, arm: str) -> Behaviour:
    """Return one arm's means."""
    return Behaviour(*(resampled.ratio(f"{arm} {measure}", "row") for measure in ("loss", "hit", "kl", "difference")))


def recovered(resampled: Resampled, ablation: str) -> Interval | None:
    """Return the share of an ablation's harm that the reconstruction undoes; None where it does no reliable harm."""
    worst = f"{ablation} loss"
    if resampled.interval(lambda total: (total[worst] - total["clean loss"]) / total["row"]).low <= 0:
        return None
    return resampled.interval(
        lambda total: (total[worst] - total["spliced loss"]) / (total[worst] - total["clean loss"])
    )


def _checked(logits: Float[Tensor, "row action"], target_action: Tensor) -> Float64[Tensor, "row action"]:
    if len(logits) != len(target_action):
        raise ValueError(f"the network answered for {len(logits)} rows, expected {len(target_action)}")
    if logits.shape[1] < 2:
        raise UserError(f"The network chooses among {logits.shape[1]} actions, expected at least 2.")
    return logits.double()
