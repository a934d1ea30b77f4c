"""Judgement of a report card: whether a dictionary meets its acceptance criteria."""

from collections.abc import Iterator
from dataclasses import dataclass

from dtinterp.dictionary.evaluation.criteria import Acceptance, AcceptanceCriteria
from dtinterp.dictionary.evaluation.score import DictionaryScore
from dtinterp.foundation.statistics import Interval

FEWEST_CLUSTERS = 2
"""Clusters, such as episodes, on which a mark with an interval must rest: one alone always has the same end."""


def judge(score: DictionaryScore, gate: AcceptanceCriteria) -> Acceptance:
    """Return whether a dictionary with this report card passes."""
    marks = list(_marks(score, gate))
    failures = tuple(mark.told for mark in marks if mark.is_met is False)
    return Acceptance(gate, failures, tuple(mark.told for mark in marks if mark.is_met is None))


def verdict_of(score: DictionaryScore) -> Acceptance:
    """Return the verdict that the card records; older cards are held against the default marks."""
    return judge(score, AcceptanceCriteria()) if score.verdict is None else score.verdict


@dataclass(frozen=True)
class _Mark:
    told: str
    is_met: bool | None
    """None where the card has no number for it"""


def _marks(score: DictionaryScore, gate: AcceptanceCriteria) -> Iterator[_Mark]:
    cards = score.held_out
    if cards is None:
        yield _Mark("L0 beside the effective rank", None)
    else:
        most = gate.max_l0_share * cards.fitted.effective_rank
        yield _Mark(f"L0 {score.l0.estimate:.1f}, at most {most:.1f}", score.l0.estimate <= most)
    unseen = None if cards is None or cards.unseen is None else cards.unseen.fvu
    yield _below("FVU on unseen rows", unseen, gate.max_fvu)
    frames = None if cards is None or cards.unseen_frame is None else cards.unseen_frame.fvu
    yield _below("FVU on unseen frames", frames, gate.max_fvu_frames)
    yield _above("loss recovered", score.loss_recovered_from_mean, gate.min_loss_recovered)
    lost = score.clean.accuracy.estimate - score.spliced.accuracy.estimate
    yield _Mark(f"accuracy lost {lost:.3f}, at most {gate.max_accuracy_lost}", lost <= gate.max_accuracy_lost)
    kept = None if score.acting is None else score.acting.return_kept
    told = "return kept" if kept is None else f"return kept {kept:.3f}, at least {gate.min_return_kept}"
    yield _Mark(told, None if kept is None else kept >= gate.min_return_kept)


def _below(name: str, found: Interval | None, most: float) -> _Mark:
    if found is None or found.n < FEWEST_CLUSTERS:
        return _Mark(name, None)
    return _Mark(f"{name} {found.estimate:.3f} (to {found.high:.3f}), at most {most}", found.high <= most)


def _above(name: str, found: Interval | None, least: float) -> _Mark:
    if found is None or found.n < FEWEST_CLUSTERS:
        return _Mark(name, None)
    return _Mark(f"{name} {found.estimate:.3f} (from {found.low:.3f}), at least {least}", found.low >= least)
