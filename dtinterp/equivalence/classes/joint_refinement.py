"""Refinement of classes by joint counterexamples, and what is left when nothing more is found."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.equivalence.classes.refinement import split
from dtinterp.equivalence.partition import Partition, partition_of, representatives
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.joint import (
    ComparedHistories,
    JointDecisions,
    Player,
    blamed,
    by_table,
    drawn,
    joined,
    worst_found,
)
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.foundation.statistics import Interval, clopper_pearson, wilson

N_DRAWS = 2
"""Choices of members that each history is shown with."""
REPRESENTATIVES, MEMBERS, WORST = "representatives", "drawn members", "worst found"
RANDOM = "members of random classes of these sizes"


@dataclass(frozen=True)
class JointTrialConfig:
    """How hard classes are tried jointly."""

    epsilon: float = 0.05
    """bits that a decision may move by"""
    n_rounds: int = 8
    """times that fresh histories are tried and classes split, at most; 0 tries none"""
    n_fresh: int = 1024
    """histories in each of these rounds"""
    n_verified: int = 2048
    """histories, used for nothing before, that shares rest on"""
    n_searched: int = 256
    """of either, the ones in which the worst members are sought"""
    seed: int = 0
    """seed of the members that are drawn"""

    def __post_init__(self) -> None:
        """Refuse less than nothing."""
        require_at_least(self, 0, "n_rounds", "n_verified", "n_searched")
        require_at_least(self, 1, "n_fresh")
        require_sensible(self)


@dataclass(frozen=True)
class TrialHistories:
    """In what classes are tried."""

    refining: ComparedHistories
    """some of these in each round"""
    tested: ComparedHistories | None = None
    """in these the classes are tested; None for what the rounds leave"""

    def testing(self, n_refining: int) -> ComparedHistories:
        """Return those in which the classes are tested, where so many were used to refine them."""
        return self.refining[n_refining:] if self.tested is None else self.tested


@dataclass(frozen=True)
class JointRound:
    """One time that fresh histories were shown with everything replaced."""

    n_histories: int
    n_beyond: int
    """in which a decision moved by more than epsilon"""
    n_classes: int
    """after classes were split until none of these histories moved by more"""


@dataclass(frozen=True)
class JointOutcome:
    """What one way of choosing members did, in histories that nothing was chosen by."""

    shown: str
    n_histories: int
    n_replaced: int
    """in which anything was shown as something else"""
    beyond: Interval
    """share of all histories in which the decision moved by more than epsilon; Clopper-Pearson, 95%"""
    beyond_replaced: Interval | None
    """the same of those in which anything was replaced; None where there was none"""
    kept: Interval
    """interchange accuracy: share of histories whose most likely action stayed the same; Wilson, 95%"""
    mean: float
    """bits"""
    maximum: float
    """bits"""


@dataclass(frozen=True)
class JointTrial:
    """Classes under joint replacement."""

    rounds: tuple[JointRound, ...]
    arms: tuple[JointOutcome, ...]
    """in fresh histories: the classes' own members, and the control"""

    @property
    def has_ended(self) -> bool:
        """Whether the last round found nothing."""
        return bool(self.rounds) and not self.rounds[-1].n_beyond


@dataclass(frozen=True)
class JointClasses:
    """Classes after refinement, and how they fare."""

    partition: Partition
    maximum: Float32[Tensor, "frame frame"]
    """as it was given, raised where a pair was held to account for what a joint replacement did"""
    trial: JointTrial | None
    """None where nothing was tried"""


def refine_jointly(
    player: Player,
    histories: TrialHistories,
    partition: Partition,
    relation: Relation,
    *,
    maximum: Float32[Tensor, "frame frame"],
    config: JointTrialConfig,
) -> JointClasses:
    """Split classes by histories in which joint replacement moves a decision by more than epsilon; then test.

    In each round fresh histories are shown with their classes' representatives, twice with members drawn in every slot,
    and some with the worst members that a search finds. Where a decision moves too far, the swap that accounts for most
    of it is held against the pair, and the class split by complete linkage, until none of the round's histories fails.
    The result refines `partition`. `maximum` is the largest divergence of each two observations that is known.
    """
    if not config.n_rounds:
        return JointClasses(partition, maximum, None)
    rounds: list[JointRound] = []
    maximum = maximum.clone()
    for number in range(config.n_rounds):
        fresh = histories.refining[number * config.n_fresh : (number + 1) * config.n_fresh]
        if not len(fresh):
            break
        luck = _luck(fresh, config.seed, f"joint/round-{number}")
        trying = _Round(player, fresh, luck, relation, config)
        partition, n_beyond = trying.split(partition, maximum)
        rounds.append(JointRound(len(fresh), n_beyond, partition.n_classes))
        if not n_beyond:
            break
    tested = histories.testing(len(rounds) * config.n_fresh)[: config.n_verified]
    arms = _verified(player, tested, partition, relation, config)
    return JointClasses(partition, maximum, JointTrial(tuple(rounds), arms))


@dataclass(frozen=True)
class _Round:
    """Fresh histories, and what they are shown with."""

    player: Player
    histories: ComparedHistories
    luck: Float32[Tensor, "draw batch slot"]
    relation: Relation
    """that representatives are chosen by"""
    config: JointTrialConfig

    def split(self, partition: Partition, maximum: Float32[Tensor, "frame frame"]) -> tuple[Partition, int]:
        """Return the classes split until no history fails, and how many failed at first; raises `maximum`."""
        histories, n_beyond = self.histories, None
        intact = self.player.logits(histories.windows)
        while True:
            rows, decided = self._shown(partition, intact)
            failed = (decided.divergence > self.config.epsilon).nonzero().squeeze(1)
            row = rows[failed]
            n_beyond = len(row.unique()) if n_beyond is None else n_beyond
            if not len(failed):
                return partition, n_beyond
            for one, other, divergence in blamed(self.player, histories[row], decided[failed], intact[row]):
                maximum[one, other] = maximum[other, one] = max(divergence, float(maximum[one, other]))
            partition = split(partition, maximum, self.relation, self.config.epsilon)

    def _shown(
        self, partition: Partition, intact: Float[Tensor, "batch action"]
    ) -> tuple[Int64[Tensor, " shown"], JointDecisions]:
        """Return what histories led to, one way of showing them after the other, and which each of them is."""
        histories = self.histories
        canonical = by_table(histories, representatives(partition, self.relation))
        ways = [canonical, *(drawn(histories, partition, numbers) for numbers in self.luck)]
        rows = [torch.arange(len(histories))] * len(ways)
        found = [self.player.decide(histories, way, intact) for way in ways]
        if n := min(self.config.n_searched, len(histories)):
            some, few = histories[:n], intact[:n]
            worst = worst_found(self.player, some, partition, few, begun=canonical[:n])
            found.append(self.player.decide(some, worst, few))
            rows.append(torch.arange(n))
        return torch.cat(rows), joined(found)


def _verified(
    player: Player,
    histories: ComparedHistories,
    partition: Partition,
    relation: Relation,
    config: JointTrialConfig,
) -> tuple[JointOutcome, ...]:
    if not len(histories):
        return ()
    intact, luck = player.logits(histories.windows), _luck(histories, config.seed, "joint/verified")[0]
    shuffled = numpy_generator(config.seed, "joint/random classes").permutation(partition.label.numpy())
    ways = {
        REPRESENTATIVES: by_table(histories, representatives(partition, relation)),
        MEMBERS: drawn(histories, partition, luck),
        RANDOM: drawn(histories, partition_of(torch.from_numpy(shuffled), "random"), luck),
    }
    found = {name: player.decide(histories, way, intact) for name, way in ways.items()}
    some = histories[: config.n_searched]
    if len(some):
        few = intact[: config.n_searched]
        worst = worst_found(player, some, partition, few, begun=ways[REPRESENTATIVES][: config.n_searched])
        found[WORST] = player.decide(some, worst, few)
    order = (REPRESENTATIVES, MEMBERS, WORST, RANDOM)
    return tuple(joint_outcome(name, found[name], config.epsilon) for name in order if name in found)


def joint_outcome(shown: str, decided: JointDecisions, epsilon: float) -> JointOutcome:
    """Return the shares of one way of choosing members."""
    n, n_replaced = len(decided.divergence), int(decided.is_replaced.sum())
    n_beyond = int((decided.divergence > epsilon).sum())
    return JointOutcome(
        shown=shown,
        n_histories=n,
        n_replaced=n_replaced,
        beyond=clopper_pearson(n_beyond, n),
        beyond_replaced=clopper_pearson(n_beyond, n_replaced) if n_replaced else None,
        kept=wilson(int(decided.is_kept.sum()), n),
        mean=float(decided.divergence.mean()),
        maximum=float(decided.divergence.max()),
    )


def _luck(histories: ComparedHistories, seed: int, name: str) -> Float32[Tensor, "draw batch slot"]:
    return torch.rand(N_DRAWS, *histories.place.shape, generator=generator(seed, name))
