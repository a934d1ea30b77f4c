"""Joint replacement: every observation of a window is shown as a class-mate at once, in all plays of a world.

Swaps of single observations within epsilon do not add up to a sound partition. Here all slots change together: to the
representative of each class, to members drawn for each slot anew, and to the worst members that a search finds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.demonstrations.samplers import Greedy
from dtinterp.equivalence.partition import Partition, one_member_each, partition_of, representatives
from dtinterp.equivalence.plays.policy_tree import PlaysConfig, PolicyTree, logits_at, model_asked, policy_tree
from dtinterp.equivalence.plays.shifts import Shift, replaced_in_windows, shift_of
from dtinterp.equivalence.plays.worst_members import windows_at, worst_members
from dtinterp.equivalence.relation import Relation
from dtinterp.foundation.artefacts.codec import ArtefactKind
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache
from dtinterp.foundation.ranges import require_at_least
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.interventions.returns.expectation import Altered, expectation, frames_met
from dtinterp.model.network.history_logits import Asked
from dtinterp.model.network.prefix_tree import prefix_tree
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.state_graph import StateGraph

CLASSES, UNVISITED, RANDOM = "classes", "never met in greedy play, merged", "random, of the same sizes"
REPRESENTATIVE, ONE_DRAWN, DRAWN = "representative", "one member drawn per class", "members drawn at each slot"


@dataclass(frozen=True)
class CheckPlaysConfig(PlaysConfig):
    """Which plays, and how often observations are replaced in them."""

    n_draws: int = 3
    """times that members are drawn at each slot, and random merges that are shown in all plays"""
    n_representatives: int = 20
    """choices of one member per class, and random merges, whose exact return is computed"""
    n_searched: int = 300
    """histories at which the worst members are searched, drawn from those with anything to replace; 0 searches none"""
    seed: int = 0
    """seed of all of these"""

    def __post_init__(self) -> None:
        """Refuse nothing drawn."""
        super().__post_init__()
        require_at_least(self, 1, "n_draws", "n_representatives")
        require_at_least(self, 0, "n_searched")


@dataclass(frozen=True)
class PlaysArm:
    """What came of showing the classes of one partition in one way."""

    partition: str
    shown: str
    """what each observation was shown as"""
    n_classes: int
    shifts: tuple[Shift, ...] = ()
    """one per draw; empty where only returns were computed"""
    returns: tuple[float, ...] = ()
    """exact greedy returns, one per choice; empty where what is shown changes from slot to slot"""

    @property
    def beyond(self) -> float:
        """Share of histories whose decision moved by more than epsilon, over all draws."""
        return float(np.mean([shift.beyond for shift in self.shifts]))

    @property
    def agreement(self) -> float:
        """Share of histories whose most likely action stayed, over all draws."""
        return float(np.mean([shift.agreement for shift in self.shifts]))


@dataclass(frozen=True)
class JointReplacement:
    """A partition tried in all plays of a world, all observations of each window replaced at once."""

    env_id: str
    config: CheckPlaysConfig
    epsilon: float
    """bits beyond which a decision is said to move"""
    n_histories: int
    n_met: int
    """of the observations that were compared, how many greedy play meets"""
    intact: float
    """exact greedy return with nothing replaced"""
    arms: tuple[PlaysArm, ...]
    """the classes first, then the rivals"""
    searched: Shift | None = None
    """under the worst members that were found, at some histories; None where none were searched"""

    def arm(self, partition: str, shown: str) -> PlaysArm:
        """Return one arm. Raises StopIteration where it was not tried."""
        return next(arm for arm in self.arms if (arm.partition, arm.shown) == (partition, shown))


JOINT = ArtefactKind(
    "joint-replacement",
    JointReplacement,
    places={"": "metrics", "env_id": "config.env_id", "config": "config.check_plays"},
)


@dataclass(frozen=True)
class CheckedClasses:
    """Classes of some of a world's observations."""

    partition: Partition
    relation: Relation
    """of the same observations: the closest to all other members represents a class"""
    place: Int64[Tensor, " frame"]
    """where each observation stands among the graph's frames"""
    epsilon: float

    def spread(self, partition: Partition, n_frames: int) -> Int64[Tensor, " graph_frame"]:
        """Return the class of each of the graph's frames; those that were not compared are alone."""
        label = partition.n_classes + torch.arange(n_frames)
        label[self.place] = partition.label
        return label

    def substitute(self, chosen: Int64[Tensor, " frame"], n_frames: int) -> Int64[Tensor, " graph_frame"]:
        """Return what each of the graph's frames is shown as, when each observation is shown as the chosen one."""
        shown = torch.arange(n_frames)
        shown[self.place] = self.place[chosen]
        return shown


def replace_jointly(
    model: DecisionTransformer,
    graph: StateGraph,
    checked: CheckedClasses,
    config: CheckPlaysConfig,
    *,
    rivals: Mapping[str, CheckedClasses] | None = None,
    cache: JobCache = NO_CACHE,
) -> JointReplacement:
    """Try classes in all plays of the world, beside them trivial rivals and others by their names.

    A decision moves where it does by more than the epsilon of the classes themselves, whosever are tried. Raises
    `WorldError` where there are more histories than fit.
    """
    intact = policy_tree(model, graph, config, cache=cache.about("intact"))
    trial = _Trial(model, graph, checked, config, intact, cache)
    met = torch.isin(checked.place, frames_met(model, graph, target_return=config.target_return))
    unvisited = partition_of(torch.where(met, torch.arange(len(met)), len(met)), UNVISITED)
    rng = numpy_generator(config.seed, "plays/random merges")
    label = checked.partition.label.numpy()
    merges = [partition_of(torch.from_numpy(rng.permutation(label)), RANDOM) for _ in range(config.n_representatives)]
    return JointReplacement(
        env_id=graph.env_id,
        config=config,
        epsilon=checked.epsilon,
        n_histories=len(intact),
        n_met=int(met.sum()),
        intact=trial.earned(torch.arange(len(met))),
        arms=(
            *trial.arms(replace(checked.partition, name=CLASSES)),
            *trial.arms(unvisited),
            *trial.arms_of_random(merges),
            *(
                arm
                for name, rival in (rivals or {}).items()
                for arm in trial.of(rival).arms(replace(rival.partition, name=name))
            ),
        ),
        searched=trial.searched() if config.n_searched else None,
    )


@dataclass(frozen=True)
class _Trial:
    model: DecisionTransformer
    graph: StateGraph
    checked: CheckedClasses
    config: CheckPlaysConfig
    intact: PolicyTree
    cache: JobCache

    def of(self, rival: CheckedClasses) -> "_Trial":
        """Return the trial of other classes, with the same measure."""
        return replace(self, checked=replace(rival, epsilon=self.checked.epsilon))

    def arms(self, partition: Partition) -> Iterator[PlaysArm]:
        """Yield what comes of the representatives, of one member drawn per class, and of members drawn at each slot."""
        chosen = representatives(partition, self.checked.relation)
        shift, earned = self._shown_as(chosen, partition.name), self.earned(chosen)
        yield PlaysArm(partition.name, REPRESENTATIVE, partition.n_classes, (shift,), (earned,))
        rng = numpy_generator(self.config.seed, f"plays/representatives of {partition.name}")
        draws = [one_member_each(partition, rng) for _ in range(self.config.n_representatives)]
        yield PlaysArm(partition.name, ONE_DRAWN, partition.n_classes, (), tuple(map(self.earned, draws)))
        shifts = tuple(self._drawn(partition, number) for number in range(self.config.n_draws))
        yield PlaysArm(partition.name, DRAWN, partition.n_classes, shifts)

    def arms_of_random(self, merges: list[Partition]) -> Iterator[PlaysArm]:
        """Yield what comes of the representatives of each random merge, and of its members drawn at each slot."""
        chosen = [representatives(merge, self.checked.relation) for merge in merges]
        few = range(min(self.config.n_draws, len(merges)))
        shifts = tuple(self._shown_as(chosen[number], f"{RANDOM} {number}") for number in few)
        n_classes = merges[0].n_classes
        yield PlaysArm(RANDOM, REPRESENTATIVE, n_classes, shifts, tuple(map(self.earned, chosen)))
        yield PlaysArm(RANDOM, DRAWN, n_classes, tuple(self._drawn(merges[number], number) for number in few))

    def earned(self, chosen: Int64[Tensor, " frame"]) -> float:
        """Return the exact greedy return when each observation is shown as the chosen one, at every step."""
        shown = Altered(self.checked.substitute(chosen, len(self.graph.frames)))
        asked = self.config.target_return
        return expectation(self.model, self.graph, Greedy(), target_return=asked, altered=shown).expected_return

    def searched(self) -> Shift | None:
        """Return how far decisions move under the worst members found; None where no class holds two."""
        label = self.checked.spread(self.checked.partition, len(self.graph.frames))
        has_mates = torch.bincount(label)[label] > 1  # graph_frame
        tree, frame_id = self.intact.tree, self.intact.frame_id
        movable = replaced_in_windows(tree, has_mates[frame_id], n_slots=self.model.cfg.n_slots).nonzero()[:, 0]
        if not len(movable):
            return None
        rng = numpy_generator(self.config.seed, "plays/searched")
        n_searched = min(self.config.n_searched, len(movable))
        history = movable[torch.from_numpy(np.sort(rng.choice(len(movable), n_searched, replace=False)))]
        histories = prefix_tree(torch.tensor(tree.parent).long(), torch.tensor(tree.action).long(), frame_id)
        found = worst_members(self._asked, windows_at(histories, history, self._asked), label)
        movable = torch.ones(n_searched, dtype=torch.bool)
        return shift_of(found.intact, found.shown, movable, epsilon=self.checked.epsilon, history=history)

    def _shown_as(self, chosen: Int64[Tensor, " frame"], name: str) -> Shift:
        return self._shift(self.checked.substitute(chosen, len(self.graph.frames))[self.intact.frame_id], name)

    def _drawn(self, partition: Partition, number: int) -> Shift:
        name = f"{partition.name} drawn {number}"
        rng = numpy_generator(self.config.seed, f"plays/{name}")
        label = self.checked.spread(partition, len(self.graph.frames))
        return self._shift(members_drawn(label, self.intact.frame_id, rng), name)

    def _shift(self, shown: Int64[Tensor, " history"], name: str) -> Shift:
        tree, frame_id = self.intact.tree, self.intact.frame_id
        logits = logits_at(self._asked, tree, shown, cache=self.cache.about(_slug(name)))
        replaced = replaced_in_windows(tree, shown != frame_id, n_slots=self.model.cfg.n_slots)
        return shift_of(self.intact.logits, logits, replaced, epsilon=self.checked.epsilon)

    @property
    def _asked(self) -> Asked:
        return model_asked(self.model, self.graph, self.config.target_return)


def members_drawn(
    label: Int64[Tensor, " frame"], frame_id: Int64[Tensor, " history"], rng: np.random.Generator
) -> Int64[Tensor, " history"]:
    """Return a member of the class of each history's frame, drawn anew for each, all members equally likely."""
    sizes = torch.bincount(label)
    order, first = label.argsort(), sizes.cumsum(0) - sizes
    of = label[frame_id]
    place = torch.from_numpy(rng.random(len(of))) * sizes[of]
    return order[first[of] + place.long()]


def _slug(name: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name).split())
