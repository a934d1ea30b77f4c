"""Report card of a dictionary on held-out rows, with the network's predictions."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, reconstruct
from dtinterp.dictionary.evaluation.acceptance import Acceptance, AcceptanceCriteria, Mark, at_least, at_most
from dtinterp.dictionary.evaluation.acting import Acting
from dtinterp.dictionary.evaluation.behaviour import (
    AtDecisions,
    Behaviour,
    Decisions,
    Effects,
    LogitsWith,
    RowEdit,
    behaviour,
    chosen,
    effect_columns,
    effects_of,
    recovered,
)
from dtinterp.dictionary.evaluation.card import HeldOut
from dtinterp.dictionary.evaluation.hierarchy import Hierarchy
from dtinterp.dictionary.evaluation.matching import Consistency
from dtinterp.dictionary.evaluation.reconstruction import Reconstruction, inputs_of, numbers, require_variety
from dtinterp.dictionary.rows.table import RowSource, check_rows, rows_at
from dtinterp.foundation.artefacts.codec import ArtefactKind
from dtinterp.foundation.bootstrap import resample
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval


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
    decisions: AtDecisions | None = None
    """answers at the decision points alone; None where the world has none, or none of the rows is one"""
    acting: Acting | None = None
    """what the model earns with reconstructions in place; None where it was not tried"""
    hierarchies: tuple[Hierarchy, ...] = ()
    """what became of concepts and their parts, on distinct held-out rows; empty where none were given"""
    consistency: Consistency | None = None
    """how alike the dictionaries of other seeds are; None where there was but one seed"""
    verdict: Acceptance | None = None
    """whether it passes the gate; None on cards that were made before there was one"""

    @property
    def width_exceeds_inputs(self) -> bool:
        """Whether there is a feature for every distinct row, so that sparsity may be mere memory."""
        return self.width > self.n_distinct


DICTIONARY_SCORE = ArtefactKind("dictionary-score", DictionaryScore, places={"": "metrics"})


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
    on rows of another length, another site or with NaN, on rows that are all alike, or where the counts disagree.
    """
    table, _ = rows_at(rows, dictionary.site)
    found = Reconstruction.by(dictionary, table, table)
    inputs = inputs_of(table)
    require_variety(inputs)
    _check_counts(len(table), target_action, cluster)
    own_cluster = torch.arange(len(table)) if cluster is None else cluster
    columns = numbers(found.errors) | effect_columns(
        splice_of(dictionary), table.mean(dim=0), logits_with=logits_with, target_action=target_action
    )
    resampled = resample(columns, own_cluster.cpu().numpy(), generator)
    return DictionaryScore(
        l0=resampled.ratio("active", "row"),
        fvu=resampled.ratio("error", "spread"),
        dead_share=found.dead_share,
        clean=behaviour(resampled, "clean"),
        spliced=behaviour(resampled, "spliced"),
        zero=behaviour(resampled, "zero"),
        mean=behaviour(resampled, "mean"),
        loss_recovered_from_zero=recovered(resampled, "zero"),
        loss_recovered_from_mean=recovered(resampled, "mean"),
        n_rows=len(table),
        n_distinct=inputs.n_distinct,
        rank=inputs.rank,
        width=dictionary.width,
    )


def score_decisions(
    dictionary: Dictionary,
    rows: Float32[Tensor, "row d_model"],
    decisions: Decisions,
    *,
    target_action: Int64[Tensor, " row"],
    cluster: Int64[Tensor, " row"],
    generator: np.random.Generator,
) -> AtDecisions | None:
    """Return the effects at decision points, edited there alone and everywhere; None where no row is one.

    The mean row is that of all `rows`; `cluster` tells which rows are drawn together.
    """
    check_rows(rows, dictionary.d_model)
    _check_counts(len(rows), target_action, cluster)
    is_there, mean = decisions.is_decision, rows.mean(dim=0)
    if not is_there.any():
        return None

    def effects_with(logits_with: LogitsWith) -> Effects:
        columns = effect_columns(splice_of(dictionary), mean, logits_with=logits_with, target_action=target_action)
        return effects_of(chosen(columns, is_there), cluster[is_there], generator)

    return AtDecisions(effects_with(decisions.there), effects_with(decisions.everywhere))


def judge(score: DictionaryScore, gate: AcceptanceCriteria) -> Acceptance:
    """Return whether a dictionary with this report card passes."""
    marks = list(_marks(score, gate))
    failures = tuple(mark.told for mark in marks if mark.is_met is False)
    return Acceptance(gate, failures, tuple(mark.told for mark in marks if mark.is_met is None))


def verdict_of(score: DictionaryScore) -> Acceptance:
    """Return the verdict that the card records; older cards are held against the default marks."""
    return judge(score, AcceptanceCriteria()) if score.verdict is None else score.verdict


def splice_of(dictionary: Dictionary) -> RowEdit:
    """Return the edit that puts a dictionary's reconstructions in place of rows."""
    return partial(reconstruct, dictionary)


def _check_counts(n_rows: int, target_action: Tensor, cluster: Tensor | None) -> None:
    if len(target_action) != n_rows:
        raise UserError(f"There are {len(target_action)} target actions for {n_rows} rows: give one for each row.")
    if cluster is not None and len(cluster) != n_rows:
        raise UserError(f"There are {len(cluster)} cluster labels for {n_rows} rows: give one for each row.")


def _marks(score: DictionaryScore, gate: AcceptanceCriteria) -> Iterator[Mark]:
    cards = score.held_out
    if cards is None:
        yield Mark("L0 beside the effective rank", None)
    else:
        most = gate.max_l0_share * cards.fitted.effective_rank
        yield Mark(f"L0 {score.l0.estimate:.1f}, at most {most:.1f}", score.l0.estimate <= most)
    unseen = None if cards is None or cards.unseen is None else cards.unseen.fvu
    yield at_most("FVU on unseen rows", unseen, gate.max_fvu)
    frames = None if cards is None or cards.unseen_frame is None else cards.unseen_frame.fvu
    yield at_most("FVU on unseen frames", frames, gate.max_fvu_frames)
    yield at_least("loss recovered", score.loss_recovered_from_mean, gate.min_loss_recovered)
    lost = score.clean.accuracy.estimate - score.spliced.accuracy.estimate
    yield Mark(f"accuracy lost {lost:.3f}, at most {gate.max_accuracy_lost}", lost <= gate.max_accuracy_lost)
    kept = None if score.acting is None else score.acting.return_kept
    told = "return kept" if kept is None else f"return kept {kept:.3f}, at least {gate.min_return_kept}"
    yield Mark(told, None if kept is None else kept >= gate.min_return_kept)
