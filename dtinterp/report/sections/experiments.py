"""The section on experiments that files describe: each question, its verdict, and the figures behind it."""

from collections.abc import Mapping

import pandas as pd

from dtinterp.interventions.experiment.result import ExperimentResult
from dtinterp.interventions.experiment.tables import changes_table, endings_table
from dtinterp.report.figures.experiment import dose_response_figure, episodes_figure
from dtinterp.report.results import Result, StudyResults
from dtinterp.report.sections import Section


def _gather(results: StudyResults) -> Mapping[str, object]:
    return {"experiments": [_shown(each) for each in results.of(ExperimentResult)]}


def _shown(result: Result[ExperimentResult]) -> Mapping[str, object]:
    value = result.value
    measures = changes_table(value).groupby("measure", sort=False)
    return {
        "result": result,
        "question": value.experiment["question"],
        "figures": [(name, dose_response_figure(table)) for name, table in measures] if len(value.doses) > 1 else [],
        "episodes": [episodes_figure(endings) for endings in endings_table(value)],
        "claims": _claims(value),
    }


def _claims(value: ExperimentResult) -> pd.DataFrame:
    """Return a row for each claim."""
    return pd.DataFrame(
        {
            "measure": claim.about,
            "change (at the last dose)": claim.effect,
            "largest control": claim.largest_control,
            "controls that reach it": f"{len(claim.reached_by)} of {claim.n_controls}",
            "p (by Holm's method)": claim.adjusted,
        }
        for claim in value.claims
    )


SECTION = Section("experiments", "Experiments", order=95, shows=(ExperimentResult,), gather=_gather)
