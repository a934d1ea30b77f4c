"""A comparison of models becomes an artefact, and back."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from dtinterp.equivalence.model_comparison import (
    ModelAgreement,
    ModelComparison,
    ModelComparisonConfig,
    ModelContrasts,
    WorldAgreement,
)
from dtinterp.equivalence.truth.disagreements import NO_CONFUSIONS
from dtinterp.foundation.artefacts.artefact import Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.soundness import understood

ARTEFACT_KIND = "comparison"


def save_comparison(
    path: Path, report: ModelComparison, *, parents: Sequence[Artefact], replace: bool = False
) -> Artefact:
    """Write the report to the folder `path`, all of it as metrics.

    `parents` are the demonstrations, and the models with their certified classes. Raises `UserError` where `path`
    exists and `replace` is not given.
    """
    content = Content(
        kind=ARTEFACT_KIND,
        config={"env_id": report.env_id, "compare": asdict(report.config)},
        tensors={},
        metrics={
            "confusions": NO_CONFUSIONS,
            "against": [asdict(row) for row in report.against],
            "kinships": [asdict(row) for row in report.kinships],
            "portraits": [asdict(row) for row in report.portraits],
        },
    )
    return write_artefact(path, content, parents=parents, seed=report.config.seed, replace=replace)


@understood(ARTEFACT_KIND)
def load_comparison(path: Path) -> ModelComparison:
    """Read the report in the folder `path`; raises `UserError` where it is missing, damaged or of another schema."""
    artefact = read_artefact(path, kind=ARTEFACT_KIND)
    metrics = artefact.manifest.metrics
    return ModelComparison(
        env_id=str(artefact.config["env_id"]),
        config=TypeAdapter(ModelComparisonConfig).validate_python(artefact.config["compare"]),
        against=TypeAdapter(tuple[WorldAgreement, ...]).validate_python(metrics["against"]),
        kinships=TypeAdapter(tuple[ModelAgreement, ...]).validate_python(metrics["kinships"]),
        portraits=TypeAdapter(tuple[ModelContrasts, ...]).validate_python(metrics["portraits"]),
    )
