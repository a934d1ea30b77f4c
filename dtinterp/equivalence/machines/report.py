"""The machine of a model asked one return: learned, bounded from below, tested on fresh plays, beside its controls."""

from dataclasses import dataclass

from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from dtinterp.equivalence.machines.certificate_beside import CertificateBeside
from dtinterp.equivalence.machines.fresh_plays import MachineTest
from dtinterp.equivalence.machines.machine import PolicyMachine
from dtinterp.equivalence.machines.observations_told_apart import ObservationVerdicts, Verdict
from dtinterp.equivalence.machines.returns import MachineReturn
from dtinterp.equivalence.machines.sizes import MachineSize
from dtinterp.equivalence.partition import check_epsilon
from dtinterp.equivalence.plays.policy_tree import PlaysConfig
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside
from dtinterp.foundation.ranges import require_at_least, require_each_at_least, require_sensible


@dataclass(frozen=True)
class MachineConfig(PlaysConfig):
    """Which plays a machine is learned from, and what it is held against."""

    most_histories: int = 130_000
    """histories in these plays, at most: RPNI takes a second for 10,000, and minutes for 100,000"""
    n_orders: int = 3
    """orders in which RPNI takes the plays: the smallest machine counts, and all of them judge observations"""
    n_longer: int = 2
    """further actions of the plays that it is tested on, all of them where they are no more than most_histories"""
    n_plays: int = 500
    """random plays, and plays of the model at temperature 1, that it is tested on"""
    n_steps: int = 20
    """actions of such a play, at most"""
    epsilon: float = 0.05
    """bits between two distributions that may be one output of the finer machine; 0 learns none"""
    finer_horizon: int = 5
    """actions of the plays that the finer machine is learned from, at most: it has many states"""
    also_asked: tuple[float, ...] = (0.0,)
    """other returns, whose machines are only counted"""
    n_relabelled: int = 3
    """machines of labels handed out at random, the control"""
    relabelled_horizon: int = 5
    """actions of the plays that these are learned from, at most: they grow fast"""
    seed: int = 0
    """seed of orders, controls and random plays"""

    def __post_init__(self) -> None:
        """Refuse what cannot be learned."""
        super().__post_init__()
        require_at_least(self, 1, "horizon", "n_orders", "most_histories")
        require_at_least(
            self, 0, "n_longer", "n_plays", "n_steps", "n_relabelled", "relabelled_horizon", "finer_horizon"
        )
        require_each_at_least(self, 0, "also_asked")
        check_epsilon(self.epsilon)
        require_sensible(self)


@dataclass(frozen=True)
class FinerMachine:
    """A machine whose outputs are classes of action distributions."""

    epsilon: float
    """bits between any two distributions of a class, at most"""
    size: MachineSize
    tests: tuple[MachineTest, ...]
    """how often the mean distribution of its output's class is within ε of the policy's"""
    returns: MachineReturn
    """of drawing each action from that mean distribution"""


@dataclass(frozen=True)
class MachineReport:
    """A policy as a finite-state machine."""

    env_id: str
    config: MachineConfig
    frames: UInt8[Tensor, "frame view view 3"]
    """what the world's state graph shows; all numbers of frames are rows of it"""
    machine: PolicyMachine
    """agrees with the policy after every play that it was learned from"""
    is_own: Bool[Tensor, " transition"]
    """whether the policy's own play, greedy from a start, takes each transition of the machine"""
    apart: Int64[Tensor, " play"]
    """plays, by their numbers in the tree, that are told apart pairwise, so that no fewer states will do"""
    n_states_by_order: tuple[int, ...]
    """states of the machines that RPNI found in other orders"""
    tests: tuple[MachineTest, ...]
    """on plays that it was not learned from; on those longer than the model's window it proves nothing"""
    returns: MachineReturn
    """of the machine as a policy, exact"""
    model_return: float
    """of the model's greedy actions, exact"""
    observations: ObservationVerdicts
    sizes: tuple[MachineSize, ...]
    """of this policy and others, from plays of up to 1, 2, … actions"""
    finer: FinerMachine | None = None
    certificate: CertificateBeside | None = None
    """certified classes of the same model; None where none were given"""

    @property
    def n_states(self) -> int:
        """The number of states."""
        return self.machine.n_states

    @property
    def at_least(self) -> int:
        """The number of states that any machine for these plays has at least."""
        return len(self.apart)

    def sizes_of(self, policy: str) -> tuple[MachineSize, ...]:
        """Return the sizes of one policy's machines, by horizon."""
        return tuple(sorted((each for each in self.sizes if each.policy == policy), key=lambda each: each.horizon))


def _at_a_glance(report: MachineReport) -> Beside:
    seen = report.observations
    return Beside(
        metrics={
            "n_states": report.n_states,
            "at_least": report.at_least,
            "n_pairs": seen.n_pairs,
            "n_compared": seen.n_compared,
            "n_equivalent": seen.count(Verdict.EQUIVALENT),
            "n_always_apart": seen.n_always_apart,
            "n_sometimes_apart": seen.n_sometimes_apart,
            "n_compatible_classes": seen.compatible.n_classes,
        }
    )


MACHINE = ArtefactKind(
    "machine",
    MachineReport,
    places={
        "": "metrics",
        "env_id": "config.env_id",
        "config": "config.machine",
        "tests": "config.found.tests",
        "sizes": "config.found.sizes",
        "finer": "config.found.finer",
        "certificate": "config.found.certificate",
    },
    beside=_at_a_glance,
)
