"""The section on the instruction flip, with what speaks against it."""

from collections.abc import Mapping

import pandas as pd

from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.report.figures.flip import dose_figure, endings_figure
from dtinterp.report.results import StudyResults
from dtinterp.report.sections import Section

RIVALS: Mapping[str, str] = {
    "item_span": "in the span of key and ball items",
    "item_span_without_direction": "in that span, orthogonal to the direction",
    "difference_of_means": "difference of means of the same items",
    "difference_of_first_frames": "difference of mean first frames",
}


def _gather(results: StudyResults) -> Mapping[str, object]:
    flip = results.of(InterventionReport)[0]
    report = flip.value
    return {
        "flip": flip,
        "doses": dose_figure(report.dose, dict(zip(report.configurations, report.flipped.tolist(), strict=True))),
        "endings": endings_figure(report.closed_loop) if report.closed_loop else None,
        "ending_shares": _ending_shares(report),
        "rivals": _rivals(report),
        "decoys": _decoys(report) if report.specification.decoys else None,
    }


def _ending_shares(report: InterventionReport) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sampler": loop.sampler,
            "intact": loop.intact.other_target,
            "set to the instruction shown": loop.same.other_target,
            "set to the other one": loop.opposite.other_target,
            "random directions": loop.control.other_target,
            "p": loop.p_value,
        }
        for loop in report.closed_loop
    )


def _rivals(report: InterventionReport) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "directions": RIVALS[rival.name],
            "drawn": len(rival.n_turned),
            "turning most (configurations)": max(rival.n_turned),
            **{f"other target ({each.sampler})": each.other_target for each in rival.endings},
            "above half": sum(share > 0.5 for share in rival.endings[-1].by_direction),
        }
        for rival in report.rivals
    )


def _decoys(report: InterventionReport) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "decoy at": " and ".join(f"({x},{y})" for x, y in cells),
            **dict(zip(report.configurations, restored, strict=True)),
        }
        for cells, restored in zip(report.specification.decoys, report.restored.tolist(), strict=True)
    )


SECTION = Section("flip", "Flipping the instruction", order=90, shows=(InterventionReport,), gather=_gather)
