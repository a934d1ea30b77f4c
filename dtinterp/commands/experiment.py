"""An experiment.yaml and a model on disk become an intervention report on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.foundation.artefacts.artefact import JSON, Artefact
from dtinterp.foundation.artefacts.codec import load, save
from dtinterp.foundation.artefacts.reading import read_json
from dtinterp.foundation.shipped import MODEL
from dtinterp.interventions.instruction_flip.experiment import run_experiment
from dtinterp.interventions.instruction_flip.report import INTERVENTION
from dtinterp.interventions.instruction_flip.result import TOLERANCE, differences, refuse_result, write_result
from dtinterp.interventions.instruction_flip.specification import read_specification
from dtinterp.model.storage import TrainedModel, load_model
from dtinterp.subject.subject import require_world

RESULT = "result.json"
RESULTS = Path("results") / "experiments"


def run(file: Path, /, *, model: Path = MODEL, out: Path | None = None, replace: bool = False) -> Mapping[str, JSON]:
    """Run an experiment on a model, and hold its numbers against the result.json beside the question.

    Where no result.json stands, it is written; one that stands is left as it is.

    Args:
        file: the experiment.yaml.
        model: folder of the model.
        out: folder of the report; by default results/experiments/NAME, after the experiment's folder.
        replace: write report and result.json anew where they exist.
    """
    folder, result = out or RESULTS / file.resolve().parent.name, file.with_name(RESULT)
    standing = read_json(result) if result.is_file() and not replace else None
    if standing is None:
        refuse_result(result, replace=replace)
    artefact = try_on(file, model=model, out=folder, replace=replace)
    report = load(folder, INTERVENTION)
    if standing is None:
        write_result(result, report, artefact=artefact, replace=replace)
    told = f"written to {result}" if standing is None else _held(result, differences(standing, report, artefact))
    return {
        "report": str(artefact.path),
        "refuted by": " ".join(report.refutations) or "nothing",
        "turned": f"{report.dose.n_turned} of {len(report.configurations)} configurations",
        "result": told,
    }


@claims_out
def try_on(file: Path, *, model: Path, out: Path, replace: bool = False) -> Artefact:
    """Run an experiment on any model: its report goes to `out`; result.json stays as it is."""
    specification = read_specification(file)
    trained = _model_of(file, model)
    report = run_experiment(specification, trained.model)
    return save(out, report, parents=[trained.artefact], seed=report.specification.seed, replace=replace)


def _model_of(file: Path, model: Path) -> TrainedModel:
    """Read a model. Raises `UserError` where it was trained elsewhere, in another world than the experiment's."""
    trained = load_model(model)
    require_world(trained, [read_specification(file).world])
    return trained


def _held(result: Path, found: Sequence[str]) -> str:
    """Say whether a result that stands came out again."""
    if not found:
        return f"reproduced: every number of {result} came out again, to {TOLERANCE:g}"
    return f"{result} stands and differs in entries: {len(found)}, the first {found[0]}; --replace writes it anew"
