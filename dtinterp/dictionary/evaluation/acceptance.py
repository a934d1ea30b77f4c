"""Acceptance criteria of dictionaries, and whether one meets them."""

from dataclasses import dataclass

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval

FEWEST_CLUSTERS = 2
"""Clusters, such as episodes, on which a mark with an interval must rest: one alone always has the same end."""
_MARKS = ("max_l0_share", "max_fvu", "max_fvu_frames", "min_loss_recovered", "max_accuracy_lost", "min_return_kept")


@dataclass(frozen=True)
class AcceptanceCriteria:
    """Pass marks. Where a mark has an interval its worse end must pass, so that luck lets nothing through."""

    max_l0_share: float = 0.5
    """L0 as a share of the effective rank of the fitted rows: a code of as many numbers as there are directions in use
    is no sparser than a change of basis"""
    max_fvu: float = 0.1
    """fraction of variance unexplained on rows that the fit never saw"""
    max_fvu_frames: float = 0.1
    """the same on rows whose own frame the fit never saw: in a new context a known frame may be remembered"""
    min_loss_recovered: float = 0.95
    """share of the mean row's harm to the next-action loss that reconstructions undo"""
    max_accuracy_lost: float = 0.02
    """by how much reconstructions lower the accuracy of the next action; of the estimates, since the interval is that
    of the accuracy itself and not of the difference"""
    min_return_kept: float = 0.95
    """share of the greedy model's return, exact over all starts, that it earns on reconstructions"""

    def __post_init__(self) -> None:
        """Refuse marks that are no shares."""
        for mark in _MARKS:
            if not 0 <= getattr(self, mark) <= 1:
                raise UserError(f"{mark} is {getattr(self, mark)}, expected a share from 0 to 1: give another mark.")


@dataclass(frozen=True)
class Acceptance:
    """Whether a dictionary passes. One that does not is marked so wherever it or its features appear."""

    gate: AcceptanceCriteria
    """the pass marks"""
    failures: tuple[str, ...]
    """the marks that it misses, with what it reached"""
    unjudged: tuple[str, ...]
    """the marks for which its report card has no number; it passes with none of these either"""

    @property
    def passes(self) -> bool:
        """Whether every mark was judged and none missed."""
        return not self.failures and not self.unjudged

    def __str__(self) -> str:
        """Write `passes`, or `fails:` and why, or `not judged:` and what is missing."""
        if self.failures:
            return f"fails: {'; '.join(self.failures)}"
        return f"not judged: {'; '.join(self.unjudged)}" if self.unjudged else "passes"


@dataclass(frozen=True)
class Mark:
    """One criterion, held against a report card."""

    told: str
    is_met: bool | None
    """None where the card has no number for it"""


def at_most(name: str, found: Interval | None, most: float) -> Mark:
    """Return whether the upper end of an interval is low enough."""
    if found is None or found.n < FEWEST_CLUSTERS:
        return Mark(name, None)
    return Mark(f"{name} {found.estimate:.3f} (to {found.high:.3f}), at most {most}", found.high <= most)


def at_least(name: str, found: Interval | None, least: float) -> Mark:
    """Return whether the lower end of an interval is high enough."""
    if found is None or found.n < FEWEST_CLUSTERS:
        return Mark(name, None)
    return Mark(f"{name} {found.estimate:.3f} (from {found.low:.3f}), at least {least}", found.low >= least)
