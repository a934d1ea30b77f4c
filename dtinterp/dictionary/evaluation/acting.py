"""Returns of a model with reconstructions in place of its rows, as numbers; interventions find them out."""

from collections.abc import Mapping
from dataclasses import dataclass

from dtinterp.foundation.statistics import Interval


@dataclass(frozen=True)
class ExactReturn:
    """What a greedy model returns over all starts of a world: exact, so there is no interval to give."""

    success: float
    expected_return: float


@dataclass(frozen=True)
class PairedReturn:
    """What a policy returned in episodes that every arm began from the same starts with the same random numbers."""

    success: Interval
    """share of episodes; Wilson interval"""
    mean_return: Interval
    """bootstrap interval over episodes"""
    change: Interval
    """mean over pairs of episodes of `return - return with nothing edited`; bootstrap interval over pairs"""


@dataclass(frozen=True)
class Acting:
    """What a model returns with rows as they are (`clean`), reconstructed (`spliced`), `zero`, and the `mean` row."""

    target_return: float
    """what it was asked for"""
    exact: Mapping[str, ExactReturn]
    """by arm, when greedy; empty where the world has no state graph"""
    played: Mapping[str, Mapping[str, PairedReturn]]
    """by sampler and arm"""

    @property
    def return_kept(self) -> float | None:
        """Return the share of the clean return that the spliced model keeps, exactly; None where that is unknown."""
        clean = self.exact.get("clean")
        if clean is None or clean.expected_return <= 0:
            return None
        return self.exact["spliced"].expected_return / clean.expected_return
