"""The section that holds every dictionary against the linear baseline, on held-out rows."""

from collections.abc import Mapping, Sequence

from dtinterp.dictionary.evaluation.behaviour import Behaviour
from dtinterp.dictionary.evaluation.score import verdict_of
from dtinterp.report.figures.dictionaries import dictionary_figure
from dtinterp.report.results import ScoredDictionary, StudyResults
from dtinterp.report.sections import Section
from dtinterp.report.tables import dictionary_table


def _gather(results: StudyResults) -> Mapping[str, object]:
    shown = results.of(ScoredDictionary)
    scored = [each.value for each in shown]
    untouched = _untouched(scored)
    table = dictionary_table(scored)
    clean = [name for name in table.columns if name.endswith("(clean)")] if untouched else []
    judged = [(each, verdict_of(each.value.score)) for each in shown]
    return {
        "shown": shown,
        "wide": [each for each in shown if each.value.score.width_exceeds_inputs],
        "missed": [(each, verdict) for each, verdict in judged if not verdict.passes],
        "untouched": untouched,
        "table": table.drop(columns=["kind", "site", "rows", *clean]),
        "numeric": [name for name in table.columns if name not in ("dictionary", "gate")],
        "figure": dictionary_figure(table),
    }


def _untouched(scored: Sequence[ScoredDictionary]) -> Behaviour | None:
    """Return the model's own loss and accuracy; None where not all dictionaries were judged on the same rows."""
    clean = {each.score.clean for each in scored}
    return clean.pop() if len(clean) == 1 else None


SECTION = Section("dictionaries", "Dictionaries", order=30, shows=(ScoredDictionary,), gather=_gather)
