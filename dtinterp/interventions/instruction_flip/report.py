"""What an experiment measured becomes an artefact, and back."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from jaxtyping import Float32
from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.foundation.artefacts.artefact import Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.soundness import require_equally_many, understood
from dtinterp.interventions.closed_loop import ClosedLoop
from dtinterp.interventions.dose import DoseCurves
from dtinterp.interventions.instruction_flip.directions import InstructionDirection
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.interventions.refutations import refutations

ARTEFACT_KIND = "intervention-report"


@dataclass(frozen=True)
class InterventionReport:
    """What turning the instruction's direction does at the decision point and in whole episodes."""

    specification: Specification
    configurations: tuple[str, ...]
    """names such as `Key,Key-Ball`: instruction, left and right target"""
    direction: InstructionDirection
    dose: DoseCurves
    flipped: Float32[Tensor, " configuration"]
    """logit difference when the first frame shows the other instruction"""
    decoys: Float32[Tensor, "decoy configuration"]
    """logit difference when the complement object is added at each set of cells"""
    decoy_projection: Float32[Tensor, "decoy configuration"]
    """what the first frame then holds along the direction, in activation units"""
    closed_loop: tuple[ClosedLoop, ...]
    """one per sampler"""

    def __post_init__(self) -> None:
        """Refuse curves of other configurations, or coefficients than the specification's."""
        asked = self.specification
        require_equally_many(
            configurations=len(self.configurations),
            flipped=len(self.flipped),
            decoys=self.decoys.shape[1],
            curves=len(self.dose.original),
        )
        require_equally_many(
            **{"coefficients asked": len(asked.coefficients), "coefficients": len(self.dose.coefficient)}
        )

    @property
    def restored(self) -> Float32[Tensor, "decoy configuration"]:
        """(LD_edit − LD_original) / (LD_flipped − LD_original), with LD the logit difference.

        1 where decoys act as the flipped instruction does, 0 where they do nothing, not a number where flipping the
        instruction itself changes nothing.
        """
        return (self.decoys - self.dose.original) / (self.flipped - self.dose.original)

    @property
    def refutations(self) -> tuple[str, ...]:
        """What speaks against the claim that this direction carries the instruction, by the rules of `refutations`."""
        return refutations(self.dose, self.flipped, self.closed_loop, carried="instruction")


def save_report(
    path: Path, report: InterventionReport, *, parents: Sequence[Artefact], replace: bool = False
) -> Artefact:
    """Write the report to the folder `path`. Raises `UserError` where it exists and `replace` is not given."""
    content = Content(
        kind=ARTEFACT_KIND,
        config={
            "specification": report.specification.model_dump(mode="json"),
            "configurations": list(report.configurations),
        },
        tensors={
            **{f"direction/{name}": tensor for name, tensor in _tensors(report.direction).items()},
            **{f"dose/{name}": tensor for name, tensor in _tensors(report.dose).items()},
            **_tensors(report),
        },
        metrics={"explained": report.direction.explained, "closed_loop": [asdict(loop) for loop in report.closed_loop]},
    )
    return write_artefact(path, content, parents=parents, seed=report.specification.seed, replace=replace)


@understood(ARTEFACT_KIND)
def load_report(path: Path, *, parent: Artefact | None = None) -> InterventionReport:
    """Read the report in the folder `path`; with `parent`, check that it was made from just that artefact.

    Raises `UserError` where it is missing, damaged, or of another schema or parent.
    """
    artefact = read_artefact(path, kind=ARTEFACT_KIND, parent=parent)
    metrics = TypeAdapter(_Metrics).validate_python(artefact.manifest.metrics)
    report = InterventionReport(
        specification=Specification.model_validate(artefact.config["specification"]),
        configurations=TypeAdapter(tuple[str, ...]).validate_python(artefact.config["configurations"]),
        direction=InstructionDirection(**_under("direction/", artefact), explained=metrics.explained),
        dose=DoseCurves(**_under("dose/", artefact)),
        flipped=artefact.tensors["flipped"],
        decoys=artefact.tensors["decoys"],
        decoy_projection=artefact.tensors["decoy_projection"],
        closed_loop=metrics.closed_loop,
    )
    asked = {"sets of decoys asked": len(report.specification.decoys)}
    require_equally_many(**asked, **{"sets of decoys": len(report.decoys)})
    return report


@dataclass(frozen=True)
class _Metrics:
    explained: float
    closed_loop: tuple[ClosedLoop, ...]


def _tensors(value: InterventionReport | InstructionDirection | DoseCurves) -> dict[str, Tensor]:
    named = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: part for name, part in named.items() if isinstance(part, torch.Tensor)}


def _under(prefix: str, artefact: Artefact) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in artefact.tensors.items() if name.startswith(prefix)}
