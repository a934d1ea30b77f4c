"""Explained pairs and classes become tables: what has to be exchanged, and what distances tell of swaps."""

from collections.abc import Callable, Mapping, Sequence

from tables import interval, share, table, written

from dtinterp.equivalence.explain.prediction import DistancePrediction
from dtinterp.equivalence.explain.similarity import LINEAR, TREES
from dtinterp.equivalence.explain.smallest_set import PairExplanation
from dtinterp.equivalence.explain.storage import ExplainedClasses, ExplainedPair
from dtinterp.foundation.statistics import Interval

Explanations = Mapping[str, ExplainedClasses]


def pairs(found: Mapping[str, Sequence[ExplainedPair]]) -> str:
    """Return the features that keep pairs of observations apart, beside random exchanges."""
    head = (
        "model",
        "dictionary",
        "frames",
        "apart by, bits",
        "smallest set, of those that differ",
        "left, bits",
        "random directions that suffice",
        "in which frames differ",
        "other sets that suffice",
        "made as long",
    )
    rows = (
        [model, each.dictionary, f"{each.first}, {each.second}", *_exchanged(each.found)]
        for model, pairs in found.items()
        for each in sorted(pairs, key=lambda pair: -pair.found.divergence)
    )
    return table(head, rows, n_words=3)


def _exchanged(found: PairExplanation) -> list[str]:
    directions, features = found.random_directions, found.random_features
    tried = (directions, found.random_differences, features, found.random_features_as_far)
    luck = ["" if each is None else share(each) for each in tried]
    return [written(found.divergence, 2), _smallest(found), written(found.left, 3), *luck]


def _smallest(found: PairExplanation) -> str:
    if found.features is None:
        return f"none of the sets tried, of {len(found.differing)}"
    if found.is_interchangeable:
        return "none needed"
    size = f"{len(found.features)} of {len(found.differing)}"
    return size if found.is_smallest else f"{size}, smaller ones not all tried"


def prediction(found: Explanations) -> str:
    """Return how well distances say which pairs are interchangeable, the best of each model in bold."""
    names = list(dict.fromkeys(each.name for one in found.values() for each in one.predictions.distances))
    told = [{each.name: each for each in one.predictions.distances} for one in found.values()]
    rows = [[name, *(_predicted(name, one) for one in told)] for name in names]
    largest = [f"{max(each.p_value for each in one.values()):.2g}" for one in told]
    columns = (
        f"{model}, {one.predictions.n_interchangeable} of {one.predictions.n_pairs:,} pairs, {one.dictionary}"
        for model, one in found.items()
    )
    return table(["distance", *columns], [*rows, ["largest p of any (Holm)", *largest]])


def _predicted(name: str, told: Mapping[str, DistancePrediction]) -> str:
    best = max(told.values(), key=lambda each: each.auroc.estimate)
    found = told[name]
    area = interval(found.auroc)
    return f"{f'**{area}**' if found is best else area} ({found.precision:.0%})"


def learned(found: Explanations) -> str:
    """Return what can be learnt of swaps from features, and how many dimensions observations take up."""
    rows: dict[str, Callable[[ExplainedClasses], str]] = {
        LINEAR: lambda one: _area(one, LINEAR),
        TREES: lambda one: _area(one, TREES),
        f"{TREES}, less the sum": lambda one: interval(one.learned.trees_less_linear),
        "raw cosine, on the same pairs": lambda one: _area(one, "raw cosine"),
        "effective dimension of the embeddings": lambda one: written(one.dimensions.embeddings, 1),
        "the same, a class as one observation": lambda one: written(one.dimensions.representatives, 1),
    }
    return table(["", *found], ([name, *(row(one) for one in found.values())] for name, row in rows.items()))


def _area(one: ExplainedClasses, name: str) -> str:
    area: Interval = one.learned.auroc[name]
    return interval(area)
