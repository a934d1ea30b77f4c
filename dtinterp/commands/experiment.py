"""An experiment.yaml and a model on disk become an intervention report on disk."""

from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.subject import MODEL, require_world
from dtinterp.foundation.artefact import Artefact, refuse_existing
from dtinterp.interventions.experiment import run_experiment, run_experiment_file
from dtinterp.interventions.report import save_report
from dtinterp.interventions.specification import read_specification
from dtinterp.model.storage import TrainedModel, load_model

RESULTS = Path("results") / "experiments"


@claims_out
def run(file: Path, /, *, model: Path = MODEL, out: Path | None = None, replace: bool = False) -> Artefact:
    """Run an experiment on a model, and write result.json beside the question.

    Args:
        file: the experiment.yaml.
        model: folder of the model.
        out: folder of the report; by default results/experiments/NAME, after the experiment's folder.
        replace: write report and result.json anew where they exist.
    """
    folder = out or RESULTS / file.resolve().parent.name
    trained = _model_of(file, model)
    return run_experiment_file(file, trained.model, model_artefact=trained.artefact, out=folder, replace=replace)


@claims_out
def try_on(file: Path, *, model: Path, out: Path, replace: bool = False) -> Artefact:
    """Run an experiment on another model: its report goes to `out`; result.json stays as it is."""
    specification = read_specification(file)
    refuse_existing(out, replace=replace)
    trained = _model_of(file, model)
    report = run_experiment(specification, trained.model)
    return save_report(out, report, parents=[trained.artefact], replace=replace)


def _model_of(file: Path, model: Path) -> TrainedModel:
    """Read a model. Raises `UserError` where it was trained elsewhere, in another world than the experiment's."""
    trained = load_model(model)
    require_world(trained, [read_specification(file).world])
    return trained
