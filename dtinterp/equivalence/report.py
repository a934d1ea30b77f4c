"""The report of a certification: its configuration, what was measured, and the parts that it consists of."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Literal

from jaxtyping import UInt8
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.equivalence.behaviour.quotient import QuotientBehaviour
from dtinterp.equivalence.behaviour.quotient_rollouts import QuotientRollout
from dtinterp.equivalence.classes.certificates import Certificate, Later, Total, total
from dtinterp.equivalence.classes.refinement import has_ended
from dtinterp.equivalence.classes.verification import Verification
from dtinterp.equivalence.partition import Partition, check_epsilon
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.chosen_frames import ChosenFrames
from dtinterp.equivalence.swaps.interchange import Swaps
from dtinterp.equivalence.truth.agreement import WorldComparison, adjusted
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside
from dtinterp.foundation.artefacts.soundness import require_equally_many
from dtinterp.foundation.ranges import require_at_least, require_sensible

Source = Literal["held-out", "plays"]


@dataclass(frozen=True)
class EquivalenceConfig:
    """How equivalence is certified; the work grows with n_frames² × n_contexts."""

    n_frames: int = 96
    """observations compared, each with each other: the most visited on the held-out side, or by plays"""
    contexts: Source = "held-out"
    """where observations stand: held-out for steps of held-out demonstrations; plays for all that can happen in the
    first steps of the world, whoever plays, target_return asked: so few that classes are tried in every one"""
    horizon: int = 3
    """actions of a play before its last decision, at most; for plays"""
    most_contexts: int = 60_000
    """contexts of plays, at most, before any are found alike; a horizon that gives more is refused"""
    n_contexts: int = 8
    """contexts per observation that classes are made from: some end at it, some go on as long as a window can"""
    epsilon: float = 0.05
    """bits of Jensen-Shannon divergence that two observations of one class may be apart, in any context tried; at 0.05
    no action's probability moves by more than 0.262"""
    n_draws: int = 200
    """random classes of equal sizes per comparison, and random halves of the observations for its interval"""
    target_return: float = 0.892
    """return asked of the model when it acts on its classes instead of its observations"""
    n_quotient_draws: int = 10
    """random classes of equal sizes that it acts on, per partition"""
    site: str = OBSERVATION_EMBEDDING
    """where an observation is swapped: its embedding, or the residual stream at its token"""
    only_reachable: bool = False
    """only contexts in which each of the observations compared could truly stand: after all that came before, the world
    might have shown any of them; without it such swaps are reported apart"""
    n_rounds: int = 12
    """times that classes are tried in fresh contexts and split by counterexample, at most: a round that finds none is
    the last; 0 leaves them as they were formed"""
    n_fresh: int = 4
    """contexts per observation in each of these rounds"""
    n_verified: int = 8
    """contexts per observation, used for nothing before, that bounds and controls rest on; 0 gives none. Of plays, all
    contexts that are left are tried with class-mates, controls in so many"""
    n_episodes: int = 0
    """episodes that the model, and an agent where one is given, play on the classes at temperature 1, all from the same
    starts with the same luck; 0 plays none"""
    seed: int = 0
    """seed of contexts, controls and episodes"""

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        check_epsilon(self.epsilon)
        require_at_least(self, 2, "n_frames")
        require_at_least(self, 1, "n_contexts", "n_draws", "n_quotient_draws", "n_fresh")
        require_at_least(self, 0, "n_rounds", "n_verified", "n_episodes", "horizon")
        require_at_least(self, 1, "most_contexts")
        require_sensible(self)

    @property
    def is_enumerated(self) -> bool:
        """Whether contexts are those of all plays."""
        return self.contexts == "plays"

    @property
    def kind(self) -> str:
        """What steps, episodes and contexts are called."""
        return "enumerated" if self.is_enumerated else "held-out"

    @property
    def population(self) -> str:
        """All contexts that certificates speak of, in words."""
        return f"contexts of plays of up to {self.horizon} steps" if self.is_enumerated else "held-out contexts"


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
    lacking={"config.certify": {"n_rounds": 0, "n_verified": 0}},  # before classes were tried in fresh contexts
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
