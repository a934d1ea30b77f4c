"""The report of an instruction flip: what turning the direction does, and what speaks against the claim."""

from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor

from dtinterp.foundation.artefacts.codec import ArtefactKind
from dtinterp.foundation.artefacts.soundness import require_equally_many
from dtinterp.interventions.closed_loop import ClosedLoop
from dtinterp.interventions.dose import DoseCurves
from dtinterp.interventions.instruction_flip.directions import InstructionDirection
from dtinterp.interventions.instruction_flip.rivals import Rival, against_span
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.interventions.refutations import refutations


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
    rivals: tuple[Rival, ...] = ()
    """none in reports of before"""
    target_cosine: float | None = None
    """of the direction and the difference of mean first frames by the target on the left; None in reports of before"""

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
        found = refutations(self.dose, self.flipped, self.closed_loop, carried="instruction")
        spans = (rival for rival in self.rivals if rival.name == "item_span")
        return (*found, *(sentence for span in spans for sentence in against_span(self.dose, self.closed_loop, span)))


def _checked(report: InterventionReport) -> InterventionReport:
    asked = {"sets of decoys asked": len(report.specification.decoys)}
    require_equally_many(**asked, **{"sets of decoys": len(report.decoys)})
    return report


INTERVENTION = ArtefactKind(
    "intervention-report",
    InterventionReport,
    places={
        "direction": "metrics",
        "closed_loop": "metrics.closed_loop",
        "rivals": "metrics.rivals",
        "target_cosine": "metrics.target_cosine",
    },
    tensors={"direction": "direction/", "dose": "dose/"},
    checked=_checked,
)
