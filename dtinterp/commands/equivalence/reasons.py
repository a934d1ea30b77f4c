"""What certified classes are worth and why: in the world, pair by pair, and by features."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dtinterp.commands.equivalence.compare import Compared, compare
from dtinterp.commands.equivalence.explain_classes import Places, explain_classes
from dtinterp.commands.equivalence.explain_pair import PairPlaces, explain_pair
from dtinterp.commands.record import Record
from dtinterp.equivalence.comparisons.model_comparison import ModelComparison, ModelComparisonConfig
from dtinterp.equivalence.explain.explanations import ExplainedClasses, ExplainedPair
from dtinterp.equivalence.explain.similarity import is_learnable
from dtinterp.equivalence.explain.smallest_set import PairConfig
from dtinterp.equivalence.levels import between_classes
from dtinterp.equivalence.observations import ExplainClassesConfig, ExplainPairConfig
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.report.results import Result

N_PAIRS = 4
"""Pairs of classes whose difference is explained, the largest ones."""
N_DRAWS = 2_000
"""Random classes, and random halves of the observations, per comparison."""
N_RESAMPLES = 100
"""Resamples and relabellings of the observations, and random exchanges."""
N_SETS = 500
"""Sets of features that are tried per pair, at most, after the greedy search."""


@dataclass(frozen=True)
class Reasons:
    """What the classes are worth, and why."""

    agreement: Result[ModelComparison]
    """with the world's own partitions"""
    pairs: Sequence[Result[ExplainedPair]]
    explained: Result[ExplainedClasses] | None
    """None where the classes leave nothing to learn from"""


def find_reasons(classes: EquivalenceReport, places: Places, out: Path, *, seed: int, keep: Record) -> Reasons:
    """Hold classes against the world, find what keeps the largest apart, and what their members share.

    What is found is written below `out`.
    """
    exchanged = PairPlaces(places.dictionary, places.model, places.demonstrations, places.equivalence)
    compared = Compared((places.equivalence,), (places.model,), (places.dictionary,), places.demonstrations)
    stage, epsilon = partial(keep.stage, "reasons"), classes.config.epsilon
    agreement = stage(compare)(ModelComparisonConfig(n_draws=N_DRAWS, seed=seed), compared, out / "agreement")
    search = PairConfig(epsilon=epsilon, n_sets=N_SETS, n_draws=N_RESAMPLES, seed=seed)
    pairs = [
        stage(explain_pair)(ExplainPairConfig(pair, search), exchanged, out / "pairs" / f"{pair[0]}-{pair[1]}")
        for pair in between_classes(classes, N_PAIRS)
    ]
    explained = None
    if is_learnable((classes.relation.maximum <= epsilon).numpy()):
        explained = stage(explain_classes)(
            ExplainClassesConfig(n_draws=N_RESAMPLES, seed=seed), places, out / "explanation"
        )
    return Reasons(agreement, pairs, explained)
