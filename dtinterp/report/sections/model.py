"""The section on the model: its shape, and whether it does as it is asked."""

from collections.abc import Mapping

from dtinterp.model.config import ModelConfig
from dtinterp.report.figures.calibration import calibration_figure
from dtinterp.report.results import StudyResults
from dtinterp.report.sections import Section


def _gather(results: StudyResults) -> Mapping[str, object]:
    calibration = results.calibration
    if not calibration:
        return {}
    return {
        "calibration": calibration_figure(calibration),
        "n_episodes": {sampler: points[0].evaluation.success.n for sampler, points in calibration.items()},
    }


SECTION = Section("model", "The model and its calibration", order=20, shows=(ModelConfig,), gather=_gather)
