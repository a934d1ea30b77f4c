"""The section on reasons: the features that keep observations apart, and those that a class shares."""

from collections.abc import Mapping

import pandas as pd

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.equivalence.explain.explanations import ExplainedClasses, ExplainedPair
from dtinterp.report.results import StudyResults
from dtinterp.report.sections import Section

N_CLASSES = 6
"""Classes whose features are listed, the largest ones."""
N_PICTURES = 6
"""Observations of each that are shown."""
N_IGNORED = 12
"""Features of each that differ to no effect and are listed."""


def _gather(results: StudyResults) -> Mapping[str, object]:
    pairs, explained = results.of(ExplainedPair), results.first(ExplainedClasses)
    return {
        "site": OBSERVATION_EMBEDDING,
        "pairs": pairs,
        "histories": list(dict.fromkeys(each.value.histories for each in pairs)),
        "dictionaries": list(dict.fromkeys(each.value.dictionary for each in pairs)),
        "explained": explained,
        **({} if explained is None else _explained(results, explained.value)),
    }


def _explained(results: StudyResults, value: ExplainedClasses) -> Mapping[str, object]:
    report, shown = results.equivalence.value, value.classes[:N_CLASSES]
    members = [report.chosen.frame_id[report.partition.members(each.label)].tolist() for each in shown]
    return {
        "n_ignored": N_IGNORED,
        "classes": [(each, frames[:N_PICTURES]) for each, frames in zip(shown, members, strict=True)],
        "predictions": prediction_table(value),
        "learned": sorted(value.learned.auroc.items(), key=lambda each: -each[1].estimate),
    }


def prediction_table(explained: ExplainedClasses) -> pd.DataFrame:
    """Return one row per distance: how well it tells which pairs are interchangeable."""
    return pd.DataFrame(
        {"distance": each.name, "AUROC": each.auroc, "precision": each.precision, "p (Holm)": each.p_value}
        for each in explained.predictions.distances
    )


SECTION = Section("why", "Why: what features say", order=80, shows=(ExplainedPair, ExplainedClasses), gather=_gather)
