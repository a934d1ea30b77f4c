"""An experiment.yaml and a model on disk become an intervention report on disk, and result.json beside the question."""

from pathlib import Path

from dtinterp.commands.subject import MODEL
from dtinterp.foundation.artefact import Artefact
from dtinterp.interventions.experiment import run_experiment_file
from dtinterp.model.storage import load_model

RESULTS = Path("results") / "experiments"


def run(file: Path, /, *, model: Path = MODEL, out: Path | None = None, replace: bool = False) -> Artefact:
    """Run an experiment on a model.

    Args:
        file: the experiment.yaml.
        model: folder of the model.
        out: folder of the report; by default results/experiments/NAME, after the experiment's folder.
        replace: write report and result.json anew where they exist.
    """
    folder = out or RESULTS / file.resolve().parent.name
    trained = load_model(model)
    return run_experiment_file(file, trained.model, model_artefact=trained.artefact, out=folder, replace=replace)
