"""The section on the smallest edits of what was seen that flip what the model does."""

from collections.abc import Mapping

import pandas as pd

from dtinterp.adversaries.report import Adversary, AdversaryReport
from dtinterp.report.results import StudyResults
from dtinterp.report.sections import Section


def _gather(results: StudyResults) -> Mapping[str, object]:
    search = results.of(AdversaryReport)[0]
    report = search.value
    return {
        "search": search,
        "found": found_table(report),
        "why": why_table(report),
        "transfer": transfer_table(report),
    }


def found_table(report: AdversaryReport) -> pd.DataFrame:
    """Return one row per window and number of edits: how many sets flip, and the likeliest of each sort."""
    return pd.DataFrame(
        {
            "window": search.scene,
            "as it is": search.original,
            "edits": each.n_edits,
            "sets tried": each.n_candidates,
            "flip": each.n_flipping,
            "flip, what is best stays nearest": each.n_keeping,
            "as near to either": each.n_undecided,
            "likeliest that flips": _said(each.likeliest),
            "likeliest that flips and stays": _said(each.likeliest_keeping),
        }
        for search in report.scenes
        for each in search.sizes
    )


def why_table(report: AdversaryReport) -> pd.DataFrame:
    """Return one row per explained adversary: the feature and the parts that undo it."""
    return pd.DataFrame(
        {
            "window": search.scene,
            "edits": "; ".join(each.edits),
            "features undo": each.all_features,
            "most by one feature": f"feature {each.features[0].feature}, frame {each.features[0].frame}"
            if each.features
            else "",
            "undone through": ", ".join(each.path),
            "by that": each.path_restored,
            "by as many random parts": each.random_restored,
        }
        for search in report.scenes
        for each in search.understanding.explanations
    )


def transfer_table(report: AdversaryReport) -> pd.DataFrame:
    """Return one row per model and return: how many of the explained adversaries flip it."""
    rows = [each for search in report.scenes for each in search.understanding.transfers]
    table = pd.DataFrame({"model": each.model, "asked for": each.target_return, "flips": each.flips} for each in rows)
    if table.empty:
        return table
    counted = table.groupby(["model", "asked for"], sort=False)["flips"].agg(["sum", "count"]).reset_index()
    return counted.rename(columns={"sum": "flipped", "count": "shown"})


def _said(found: Adversary | None) -> str:
    if found is None:
        return "none"
    return f"{'; '.join(found.edits)} ({found.value:.2f}, {found.log_likelihood:+.1f} nats)"


SECTION = Section("adversaries", "Edits that flip the decision", order=95, shows=(AdversaryReport,), gather=_gather)
