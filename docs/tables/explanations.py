"""Explained pairs and classes: what has to be patched, and what distances tell of swaps."""

from functools import cache, partial
from pathlib import Path

import pandas as pd

from dtinterp.equivalence.explain.explanations import EXPLANATION, PAIR, ExplainedClasses, ExplainedPair
from dtinterp.equivalence.explain.prediction import DistancePrediction
from dtinterp.equivalence.explain.similarity import COMPONENTS, COORDINATES, LINEAR, TREES
from dtinterp.equivalence.explain.smallest_set import PairExplanation
from dtinterp.foundation.artefacts.codec import load
from tables.cells import interval, share, side_by_side, written
from tables.shelf import of_models

RIVALS = (TREES, COORDINATES, COMPONENTS, "raw cosine", "near as the heads read it")
"""What a sum over features is held against, split by split."""


def pairs() -> pd.DataFrame:
    """Smallest sets of features whose patching makes two observations interchangeable, beside random patches.

    In 8 contexts of each frame, at ε = 0.05 bits; of smaller sets up to 500 were tried. Random: 100 directions of any
    kind that move as far; as many in which frames differ; and up to 100 other sets of as many differing features, as
    they are and made as long.
    """
    return pd.DataFrame(
        {
            "model": model,
            "dictionary": each.dictionary,
            "frames": f"{each.first}, {each.second}",
            **_patched(each.found),
        }
        for model, found in of_models(_pairs, "pairs").items()
        for each in sorted(found, key=lambda pair: -pair.found.divergence)
    )


def predicting_interchangeability() -> pd.DataFrame:
    """Area under the ROC curve of each distance for which pairs are interchangeable, the best of each model in bold.

    With the central 95% over resamples of the frames; one half is chance. In brackets the precision among the
    closest pairs, as many as there are interchangeable ones, which then is the recall, too.
    """
    return side_by_side({_headed(model, one): _predictions(one) for model, one in _explained().items()}, of="distance")


def learning_interchangeability() -> pd.DataFrame:
    """The same area, learned on half of the frames and judged on the other half, 20 times: sums and what rivals them.

    Then how much better the sum over features does than each, split by split. Below it the effective dimension
    (participation ratio) of the embeddings, and with each class as one observation.
    """
    return side_by_side({model: _learned(one) for model, one in _explained().items()})


@cache
def _explained() -> dict[str, ExplainedClasses]:
    return of_models(partial(load, kind=EXPLANATION), "explanation")


def _pairs(folder: Path) -> list[ExplainedPair]:
    return [load(path, PAIR) for path in sorted(folder.glob("*"))]


def _patched(found: PairExplanation) -> dict[str, str]:
    directions, features = found.random_directions, found.random_features
    tried = {
        "random directions that suffice": directions,
        "in which frames differ": found.random_differences,
        "other sets that suffice": features,
        "made as long": found.random_features_as_far,
    }
    return {
        "apart by, bits": written(found.divergence, 2),
        "smallest set, of those that differ": _smallest(found),
        "left, bits": written(found.left, 3),
        **{head: "" if each is None else share(each) for head, each in tried.items()},
    }


def _smallest(found: PairExplanation) -> str:
    if found.features is None:
        return f"none of the sets tried, of {len(found.differing)}"
    if found.is_interchangeable:
        return "none needed"
    size = f"{len(found.features)} of {len(found.differing)}"
    return size if found.is_smallest else f"{size}, smaller ones not all tried"


def _headed(model: str, one: ExplainedClasses) -> str:
    found = one.predictions
    return f"{model}, {found.n_interchangeable} of {found.n_pairs:,} pairs, {one.dictionary}"


def _predictions(one: ExplainedClasses) -> dict[str, str]:
    told = one.predictions.distances
    best = max(told, key=lambda each: each.auroc.estimate)
    largest = max(each.p_value for each in told)
    return {each.name: _predicted(each, is_best=each is best) for each in told} | {
        "largest p of any (Holm)": f"{largest:.2g}"
    }


def _predicted(found: DistancePrediction, *, is_best: bool) -> str:
    area = interval(found.auroc)
    return f"{f'**{area}**' if is_best else area} ({found.precision:.0%})"


def _learned(one: ExplainedClasses) -> dict[str, str]:
    area, better = one.learned.auroc, one.learned.linear_less
    return {
        **{name: interval(area[name]) for name in (LINEAR, *RIVALS)},
        **{f"{LINEAR}, less {name}": interval(better[name]) for name in RIVALS},
        "effective dimension of the embeddings": written(one.dimensions.embeddings, 1),
        "the same, a class as one observation": written(one.dimensions.representatives, 1),
    }
