"""Certified classes become what they are worth and why, on disk: in the world, by features, and pair by pair."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from dtinterp.commands.equivalence.compare import Compared, compare
from dtinterp.commands.equivalence.explain_classes import Places, explain_classes
from dtinterp.commands.equivalence.explain_pair import explain_pair
from dtinterp.equivalence.explain.similarity import is_learnable
from dtinterp.equivalence.explain.smallest_set import PairConfig
from dtinterp.equivalence.model_comparison import ModelComparisonConfig
from dtinterp.equivalence.observations import ExplainClassesConfig, ExplainPairConfig
from dtinterp.equivalence.ordering import between_classes
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.foundation.artefacts.codec import load

Once: TypeAlias = Callable[[Callable[..., object]], Callable[..., object]]

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
    """Where it is written what the classes are worth, and why."""

    agreement: Path
    pairs: tuple[Path, ...]
    explained: Path | None
    """None where the classes leave nothing to learn from"""


def find_reasons(places: Places, out: Path, *, seed: int, once: Once) -> Reasons:
    """Run compare, explain-pair between the largest classes, and explain-classes, below the folder `out`.

    `once` wraps each command, so that one which was done before is not done again.
    """
    report = load(places.equivalence, EQUIVALENCE)
    subject = {"model": places.model, "demonstrations": places.demonstrations}
    compared = Compared((places.equivalence,), (places.model,), (places.dictionary,), places.demonstrations)
    once(compare)(ModelComparisonConfig(n_draws=N_DRAWS, seed=seed), compared, out / "agreement")
    search = PairConfig(epsilon=report.config.epsilon, n_sets=N_SETS, n_draws=N_RESAMPLES, seed=seed)
    pairs = []
    for pair in between_classes(report, N_PAIRS):
        pairs.append(out / "pairs" / f"{pair[0]}-{pair[1]}")
        once(explain_pair)(ExplainPairConfig(pair, search), pairs[-1], dictionary=places.dictionary, **subject)
    explained = None
    if is_learnable((report.relation.maximum <= report.config.epsilon).numpy()):
        explained = out / "explanation"
        once(explain_classes)(ExplainClassesConfig(n_draws=N_RESAMPLES, seed=seed), places, explained)
    return Reasons(out / "agreement", tuple(pairs), explained)
