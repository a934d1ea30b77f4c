"""Certificates of one model beside each other: of several populations of histories, and several returns asked."""

from collections.abc import Iterator
from functools import cache, partial

import pandas as pd

from dtinterp.equivalence.comparisons.partition_comparison import PARTITION_COMPARISON, PartitionComparison
from dtinterp.foundation.artefacts.codec import load
from tables.cells import interval, written
from tables.shelf import of_models


def certificates() -> pd.DataFrame:
    """Classes of each certificate, of all its observations, and of those that all certificates of the model share.

    The common refinement joins what all of them join.
    """

    def rows() -> Iterator[dict[str, str]]:
        for model, found in _compared().items():
            for each in found.certificates:
                yield {
                    "model": model,
                    "certificate": each.name,
                    "histories": each.population,
                    "asked": each.asks,
                    "observations": str(each.n_frames),
                    "classes": str(each.n_classes),
                    "of those that all share": str(each.n_shared_classes),
                }
            shared, refined = str(len(found.frame_id)), str(found.refinement.n_classes)
            yield {
                "model": model,
                "certificate": "common refinement",
                "observations": shared,
                "classes": refined,
                "of those that all share": refined,
            }

    return pd.DataFrame(rows())


def differences() -> pd.DataFrame:
    """Each two certificates of a model on the observations that both are about.

    Adjusted Rand index beside random classes of the same sizes (2,000 draws), variation of information, and the pairs
    that the one joins: put above ε by the other, or merely in two classes there, since others come between.
    """

    def rows() -> Iterator[dict[str, str]]:
        for model, found in _compared().items():
            for row in found.differences:
                yield {
                    "model": model,
                    "certificates": f"{row.one}, {row.other}",
                    "observations": str(row.n_frames),
                    "ARI": interval(row.agreement.ari),
                    "random classes": interval(row.agreement.random),
                    "apart, bits": written(row.variation.distance, 2),
                    **{
                        f"pairs that the {place} joins: above ε, undecided in the other": (
                            f"{judged.n_told_apart}, {judged.n_undecided} of {judged.n_joined}"
                        )
                        for place, judged in zip(("first", "second"), row.judged, strict=True)
                    },
                }

    return pd.DataFrame(rows())


def torn() -> pd.DataFrame:
    """The pair furthest apart of those that one certificate joins and another tells apart, for each two of a model.

    Observations are numbered by the demonstrations' frame table; the largest divergences that either met, in bits.
    """
    return pd.DataFrame(
        {
            "model": model,
            "joined in": judged.joining,
            "told apart in": judged.judging,
            "observations": f"{judged.worst[0].frame} and {judged.worst[0].other}",
            "largest where joined": written(judged.worst[0].where_joined, 3),
            "largest where told apart": written(judged.worst[0].where_apart, 3),
        }
        for model, found in _compared().items()
        for row in found.differences
        for judged in row.judged
        if judged.worst
    )


@cache
def _compared() -> dict[str, PartitionComparison]:
    return of_models(partial(load, kind=PARTITION_COMPARISON), "populations")
