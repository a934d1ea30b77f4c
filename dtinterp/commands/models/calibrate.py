"""The command that measures the returns a model achieves for those asked for."""

from dataclasses import asdict
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.shipped import MODEL
from dtinterp.interventions.returns.calibration import CalibrateConfig, CalibrationStudy, title_of
from dtinterp.interventions.returns.calibration import calibrate as calibrations
from dtinterp.subject.subject import open_subject


@claims_out
def calibrate(
    config: CalibrateConfig,
    out: Path = Path("results/calibration"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Ask a model for the returns that each sampler of its demonstrations achieved, and measure what it achieves.

    Where the world's state graph is known and the policy reaches few windows, the return is computed exactly, or up to
    a bound that the interval states (n = 0, nothing was played); otherwise episodes are played.

    Args:
        config: how it is measured.
        out: folder to write.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations)
    found = list(calibrations(subject, config))
    error = {f"{title_of(each.demand)}, acting {each.acting}": asdict(each.error) for each in found}
    beside = Beside(asdict(config), {"error": error})
    value = CalibrationStudy(tuple(found))
    return save(out, value, parents=subject.artefacts, seed=config.seed, replace=replace, beside=beside)
