"""The instruction flip, as its own file describes it, becomes an intervention report on disk."""

from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.specifications import fields_of
from dtinterp.interventions.instruction_flip.experiment import run_experiment
from dtinterp.interventions.instruction_flip.specification import Specification, read_specification
from dtinterp.model.storage import TrainedModel, load_model
from dtinterp.subject.subject import require_world


def is_flip(file: Path) -> bool:
    """Whether a file is of an instruction flip: it has the fields of one, and no question."""
    fields = fields_of(file, name="experiment.yaml")
    return "question" not in fields and bool({"decoys", "cells"} & (fields.keys() & Specification.model_fields.keys()))


@claims_out
def try_on(file: Path, *, model: Path, out: Path, replace: bool = False) -> Artefact:
    """Run an instruction flip on any model: its report goes to `out`; result.json stays as it is."""
    specification = read_specification(file)
    trained = _model_of(file, model)
    report = run_experiment(specification, trained.model)
    return save(out, report, parents=[trained.artefact], seed=report.specification.seed, replace=replace)


def _model_of(file: Path, model: Path) -> TrainedModel:
    """Read a model. Raises `UserError` where it was trained elsewhere, in another world than the experiment's."""
    trained = load_model(model)
    require_world(trained, [read_specification(file).world])
    return trained
