"""The section on features: where they are active, what they look at, what they tell."""

from collections.abc import Mapping, Sequence

import pandas as pd

from dtinterp.features.item_maps import VALUES, on_view
from dtinterp.features.labels.table import VERDICTS, LabelStudy, summary_of
from dtinterp.features.table import FeatureTable
from dtinterp.report.pictures import map_picture, standalone
from dtinterp.report.results import StudyResults
from dtinterp.report.sections import Section

N_CARDS = 9
"""Features shown of each dictionary."""
N_MAPS = 4
"""Values, such as `key` or `wall`, whose maps are shown of each feature."""
N_FRAMES = 8
"""Top frames shown of each feature."""


def _gather(results: StudyResults) -> Mapping[str, object]:
    labelled = results.of(LabelStudy)
    return {
        "labelled": labelled,
        "label_table": label_table([each.value for each in labelled]),
        "tables": [
            (each, [_card(each.value, feature) for feature in each.value.telling(N_CARDS).tolist()])
            for each in results.of(FeatureTable)
        ],
    }


def label_table(studies: Sequence[LabelStudy]) -> pd.DataFrame:
    """Return one row per dictionary: features by verdict, and the share with a good label beside its controls."""
    summaries = [summary_of(each.labels) for each in studies]
    return pd.DataFrame(
        {
            "dictionary": [each.labels.name for each in studies],
            **{verdict: [summary.n_features[verdict] for summary in summaries] for verdict in VERDICTS},
            "good (of judged)": [summary.share for summary in summaries],
            "good (shuffled)": [summary.shuffled_share for summary in summaries],
            "good (untrained)": [each.untrained.share for each in studies],
            "inputs (searched)": [summary.n_searched for summary in summaries],
            "inputs (judged)": [summary.n_judged for summary in summaries],
        }
    )


def _card(table: FeatureTable, feature: int) -> Mapping[str, object]:
    """Return what is shown of one feature: the fact that it tells best, its top frames, its maps."""
    alignment = table.alignment
    best = int(alignment.best[feature])
    top = zip(table.top.frame[feature].tolist(), table.top.value[feature].tolist(), strict=True)
    return {
        "feature": feature,
        "density": float(table.density[feature]),
        "fact": alignment.fact_values[best].plain_words,
        "control": float(alignment.control[feature]),
        "base_rate": float(alignment.base_rate[best]),
        **{name: float(getattr(alignment, name)[feature, best]) for name in _TOLD},
        "top": [(frame, value) for frame, value in top if frame >= 0][:N_FRAMES],
        "maps": _maps(table, feature),
    }


_TOLD = ("correlation", "auroc", "precision", "recall")


def _maps(table: FeatureTable, feature: int) -> list[tuple[str, str]]:
    maps = on_view(table.maps.seen[feature])  # value y x
    strength = maps.abs().amax(dim=(1, 2))
    strongest = strength.argsort(descending=True, stable=True)[:N_MAPS].tolist()
    limit = max(float(strength.max()), 1e-6)
    drawn = [(VALUES[place], map_picture(maps[place].T.double().numpy(), limit)) for place in strongest]
    return [(name, standalone(picture)) for name, picture in drawn]


SECTION = Section("features", "Features", order=40, shows=(FeatureTable,), gather=_gather)
