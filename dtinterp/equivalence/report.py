"""The report of a certification: what was measured, and the parts that it consists of."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from dtinterp.equivalence.behaviour.abstraction_error import AbstractionOutcome
from dtinterp.equivalence.behaviour.after_random import Wandering
from dtinterp.equivalence.behaviour.quotient import QuotientBehaviour
from dtinterp.equivalence.behaviour.quotient_rollouts import QuotientRollout
from dtinterp.equivalence.classes.certificates import Certificate, Later, Total, total
from dtinterp.equivalence.classes.joint_refinement import JointTrial
from dtinterp.equivalence.classes.luck import Luck
from dtinterp.equivalence.classes.refinement import has_ended
from dtinterp.equivalence.classes.verification import Verification
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.populations.moves import Moves
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.chosen_frames import ChosenFrames
from dtinterp.equivalence.swaps.interchange import Swaps
from dtinterp.equivalence.truth.agreement import WorldComparison, adjusted
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside
from dtinterp.foundation.artefacts.soundness import require_equally_many


@dataclass(frozen=True)
class Verdicts:
    """Pairs of observations."""

    n_equivalent: int
    """in one class when refinement ended; what verification met since is in the bounds"""
    n_different: int
    """told apart by some swap, by more than epsilon"""
    n_undecided: int
    """told apart by nothing, yet in different classes, since others come between"""


@dataclass(frozen=True)
class EquivalenceReport:
    """Which observations a model treats alike, with what was tried to tell them apart."""

    env_id: str
    config: EquivalenceConfig
    chosen: ChosenFrames
    frames: UInt8[Tensor, "frame view view 3"]
    """what the chosen frames show"""
    swaps: Swaps
    partition: Partition
    """classes of the chosen frames at the config's epsilon, refined by counterexample"""
    certificates: tuple[Certificate, ...]
    """one per class, from the swaps that classes are formed from; `totals` has what was tried since"""
    untrained: Relation
    """what the same swaps in the same contexts did to an untrained model"""
    worlds: tuple[Partition, ...]
    """the world's own partitions of the chosen frames"""
    comparisons: tuple[WorldComparison, ...]
    """one per partition of the world"""
    behaviour: QuotientBehaviour
    """what the model returns when its observations are exchanged for their classes' representatives"""
    scrutiny: Verification | None = None
    """what was tried beyond these swaps; None in what was written before it was tried"""
    acted: tuple[QuotientRollout, ...] = ()
    """what players that draw their actions return on the classes, intact first; empty where no episodes were played"""
    joint: JointTrial | None = None
    """how classes fare when all observations are replaced at once; None in what was written before that was tried"""
    met: Float32[Tensor, "frame frame"] | None = None
    """the largest divergence that any swap of two observations met by the end of refinement, in bits, and what joint
    replacement held against a pair; None in what was written before it was kept"""
    luck: Luck | None = None
    """how far classes depend on which contexts were drawn, on epsilon and on linkage"""
    wandering: Wandering | None = None
    """what the model returns on its classes after random actions; None where nothing was played"""
    abstraction: tuple[AbstractionOutcome, ...] = ()
    """how well the classes, and others beside them, predict what setting a class does; empty where none was set"""
    moves: Moves | None = None
    """the model's own play, where its contexts are of that"""

    def __post_init__(self) -> None:
        """Refuse parts that are not about the same observations."""
        tables = {"frame ids": self.chosen.frame_id, "frames": self.frames, "swaps": self.swaps.frame_id}
        labels = {f"labels of {each.name!r}": each.label for each in (self.partition, *self.worlds)}
        counts = {name: len(table) for name, table in (tables | labels).items()}
        require_equally_many(**counts, **{"frames of the control": self.untrained.n_frames})

    @cached_property
    def relation(self) -> Relation:
        """The model's divergences, both directions together."""
        return self.swaps.relation("interchangeable")

    @property
    def known(self) -> Float32[Tensor, "frame frame"]:
        """The largest divergence of each two observations that is known by the end of refinement, in bits."""
        return self.relation.maximum if self.met is None else self.met

    @property
    def verdicts(self) -> Verdicts:
        """How many pairs are equivalent, different, and neither."""
        label = self.partition.label
        above = torch.ones_like(self.known, dtype=torch.bool).triu(1)
        same, apart = (label[:, None] == label) & above, (self.known > self.config.epsilon) & above
        return Verdicts(int(same.sum()), int((apart & ~same).sum()), int((above & ~same & ~apart).sum()))

    @cached_property
    def totals(self) -> tuple[Total, ...]:
        """All that was ever tried inside each class, in order of label."""
        return tuple(total(certificate, self._later) for certificate in self.certificates)

    @property
    def ranked(self) -> tuple[WorldComparison, ...]:
        """The comparisons with the world, the best agreement first."""
        return tuple(sorted(self.comparisons, key=lambda each: -each.trained.ari.estimate))

    @property
    def is_refined_to_the_end(self) -> bool:
        """Whether the refinement ended because nothing was found, or nothing was left, before its rounds were used up.

        Also where none was tried and none was asked for.
        """
        rounds = () if self.scrutiny is None else self.scrutiny.rounds
        return not self.config.n_rounds or has_ended(rounds, self.config.n_rounds)

    @property
    def _later(self) -> tuple[Later, ...]:
        """What was tried inside classes after they were formed, as far as it is known."""
        if self.scrutiny is None or self.scrutiny.later:
            return () if self.scrutiny is None else self.scrutiny.later
        bounds = self.scrutiny.bounds  # written before worst swaps were kept
        return tuple(Later(each.label, "verification", each.n_swaps, each.maximum, None) for each in bounds)

    @property
    def n_contexts(self) -> int:
        """Distinct contexts that classes are formed from."""
        return int(self.swaps.n_contexts.sum())

    @property
    def n_swaps(self) -> int:
        """Windows in which one frame stood in for another."""
        return self.n_contexts * (len(self.chosen.frame_id) - 1)

    @property
    def n_decisions(self) -> int:
        """Pairs of action distributions that were compared."""
        return int(self.swaps.n_decisions.sum()) * (len(self.chosen.frame_id) - 1)


def _checked(report: EquivalenceReport) -> EquivalenceReport:
    """Refuse parts of other classes or worlds, and adjust p-values, which older reports did not."""
    require_equally_many(classes=report.partition.n_classes, certificates=len(report.certificates))
    require_equally_many(**{"partitions of the world": len(report.worlds), "comparisons": len(report.comparisons)})
    return replace(report, comparisons=adjusted(report.comparisons))


EQUIVALENCE = ArtefactKind(
    "equivalence",
    EquivalenceReport,
    places={
        "": "metrics",
        "env_id": "config.env_id",
        "config": "config.certify",
        "chosen": "metrics",
        "partition.name": "config.partition",
        "untrained.name": "config.untrained",
        "worlds": "config.worlds",
        "worlds.*.name": "config.worlds.*",
        "scrutiny.formed.name": "metrics.scrutiny.formed",
    },
    tensors={
        "chosen": "",
        "partition": "",
        "swaps": "swaps/",
        "swaps.frame_id": "frame_id",
        "untrained": "untrained/",
        "untrained.frame_id": "frame_id",
        "worlds.*.label": "world/{name}",
        "scrutiny": "scrutiny/",
        "scrutiny.formed.label": "scrutiny/formed",
        "scrutiny.reachable": "scrutiny/reachable/",
    },
    lacking={
        "config.certify": {
            "n_rounds": 0,  # before classes were tried in fresh contexts
            "n_verified": 0,
            "contexts": "held-out",  # before the model's own play was one
            "n_joint_rounds": 0,
            "n_wandered": 0,
            "n_abstracted": 0,
            "n_tested": 0,  # before some of its episodes were set aside
        }
    },
    beside=lambda report: Beside(
        metrics={
            "coverage": report.chosen.coverage,
            "n_contexts": report.n_contexts,
            "n_swaps": report.n_swaps,
            "n_decisions": report.n_decisions,
            "n_classes": report.partition.n_classes,
            "totals": [asdict(each) for each in report.totals],
            "is_refined_to_the_end": report.is_refined_to_the_end,
        }
    ),
    checked=_checked,
)
