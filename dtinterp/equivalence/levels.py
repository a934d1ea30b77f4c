"""The classes of a report at any epsilon: certified at its own, elsewhere as the swaps alone make them."""

import math
from dataclasses import dataclass

from dtinterp.equivalence.classes.certificates import Certificate, Total, certificates, total
from dtinterp.equivalence.partition import Partition, classes, dendrogram
from dtinterp.equivalence.report import EquivalenceReport

PREFERRED = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
"""Ten steps to a decade, evenly apart in the logarithm (the series R10 of ISO 3)."""
FINEST = 1e-6
"""Bits below which a divergence is rounding."""


@dataclass(frozen=True)
class Level:
    """The classes at one height of the dendrogram."""

    epsilon: float
    """bits"""
    partition: Partition
    certificates: tuple[Certificate, ...]
    """one per class, from the swaps that the relation rests on"""
    totals: tuple[Total, ...]
    """one per class, from all that was tried inside it"""
    is_certified: bool
    """whether the classes were tried in fresh contexts, and split where one failed: only at the report's own epsilon"""


def level_at(report: EquivalenceReport, epsilon: float) -> Level:
    """Return the classes of a report at `epsilon`; raises `UserError` where it is not between 0 and 1 bit.

    Those at a smaller epsilon refine those at a larger, and the certified ones refine all at a larger. They need not be
    refined by those at a smaller: a counterexample may have parted what no swap that classes are formed from does.
    """
    if epsilon == report.config.epsilon:
        return Level(epsilon, report.partition, report.certificates, report.totals, is_certified=True)
    partition = classes(report.relation, epsilon)
    formed = certificates(report.swaps, partition)
    return Level(epsilon, partition, formed, tuple(total(each, ()) for each in formed), is_certified=False)


def epsilons(report: EquivalenceReport) -> tuple[float, ...]:
    """Return the epsilons at which it is worth looking: evenly apart in the logarithm, and the report's own.

    They begin below the first join, where every observation stands alone, and end above the last, where all are one
    class, or at 1 bit.
    """
    joins = dendrogram(report.relation)[:, 2]
    first, last = max(float(joins.min()), FINEST), max(float(joins.max()), FINEST)
    decades = range(math.floor(math.log10(first)) - 1, math.ceil(math.log10(last)) + 1)
    steps = [float(f"{step}e{decade}") for decade in decades for step in PREFERRED]
    below = max((step for step in steps if step < first), default=0.0)
    above = min((step for step in steps if step >= last), default=1.0)
    chosen = {step for step in steps if below <= step <= min(above, 1.0)}
    return tuple(sorted(chosen | {report.config.epsilon}))
