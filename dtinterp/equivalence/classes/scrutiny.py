"""Classes become classes that withstood fresh contexts, with bounds and controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import add

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.dataset.windows import concatenate
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.classes.certificates import Later, Stage, WorstSwap
from dtinterp.equivalence.classes.refinement import Round, later, refine, shared_places
from dtinterp.equivalence.classes.verification import MATES, Arm, Bound, arms, bounds
from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.equivalence.swaps.feasible_swaps import Reachable
from dtinterp.equivalence.swaps.pools import LARGEST, Pool, pool_of
from dtinterp.equivalence.swaps.trials import Trials, embedded
from dtinterp.equivalence.swaps.within_class import (
    NOTHING,
    Draft,
    Swapper,
    Tries,
    attempt,
    mates,
    norm_matched,
    strangers,
)
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.statistics import Interval
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class Scrutiny:
    """What was tried beyond the swaps that classes are made from."""

    formed: Partition
    """the classes before any counterexample"""
    rounds: tuple[Round, ...]
    """how they were refined"""
    counterexamples: tuple[WorstSwap, ...]
    """the worst swaps that split a class"""
    bounds: tuple[Bound, ...]
    """one per class of more than one frame, from contexts that nothing was chosen by"""
    arms: tuple[Arm, ...]
    """class-mates and controls in those contexts, of the trained model and of an untrained one"""
    stability: Interval | None
    """of classes from halves of the contexts; None where some frame has a single context"""
    at_once: Float32[Tensor, "frame frame"]
    """largest divergence of the decision at the swapped slot itself, in bits, of either direction"""
    reachable: Reachable | None
    """where the stand-in could truly have been seen; None where the world's states are not known"""
    later: tuple[Later, ...] = ()
    """what was tried inside each class after it was formed; empty in what was written before it was kept"""


@dataclass(frozen=True)
class Effort:
    """How hard classes are tried."""

    epsilon: float
    n_rounds: int
    n_fresh: int
    """contexts per frame and round"""
    n_verified: int
    """contexts per frame that bounds and controls rest on"""
    seed: int
    layer: int
    """the block that reads what is swapped"""
    is_exhaustive: bool = False
    """whether class-mates are tried in every context that is left, beyond `n_verified`"""


@dataclass(frozen=True)
class Tested:
    """Classes after refinement, with bounds and controls."""

    partition: Partition
    rounds: tuple[Round, ...]
    counterexamples: tuple[WorstSwap, ...]
    bounds: tuple[Bound, ...]
    arms: tuple[Arm, ...]
    later: tuple[Later, ...]


@dataclass(frozen=True)
class CertifyInputs:
    """The models and the data that classes are tried on."""

    model: DecisionTransformer
    untrained: DecisionTransformer
    trajectories: Trajectories
    steps: Int64[Tensor, " held_out"]
    items: Float32[Tensor, "table item"]
    cache: JobCache = NO_CACHE
    """where the swaps are kept, and who makes them"""
    agent: RecurrentActorCritic | None = None
    """who plays on the classes beside the model"""


def put_to_the_test(
    bench: CertifyInputs, formed: Partition, relation: Relation, *, tried: Contexts, effort: Effort
) -> Tested:
    """Refine classes by counterexample and bound how often they fail, each in contexts that were never used before.

    `tried` are the contexts that the classes were made from.
    """
    trial = _Trial(bench, relation, _pools(bench, formed, relation, tried, effort), effort)

    def fresh(partition: Partition, number: int) -> Tries | None:
        some = slice(number * effort.n_fresh, (number + 1) * effort.n_fresh)
        return trial.of_mates(partition, some, f"round-{number}")

    refined = refine(formed, relation, epsilon=effort.epsilon, n_rounds=effort.n_rounds, fresh=fresh)
    verified = trial.verified(refined.partition, len(refined.rounds) * effort.n_fresh)
    stages: dict[Stage, Sequence[Tries]] = {"refinement": refined.tries, "verification": verified.tries}
    joined: dict[Stage, Tries] = {stage: reduce(add, tries) for stage, tries in stages.items() if tries}
    return Tested(
        partition=refined.partition,
        rounds=refined.rounds,
        counterexamples=refined.counterexamples,
        bounds=verified.bounds,
        arms=verified.arms,
        later=later(refined.partition, joined, relation.frame_id),
    )


def at_once(trials: Trials) -> Float32[Tensor, "frame frame"]:
    """Return the largest divergence of each two frames at the decision of the swapped slot, of either direction."""
    rows = torch.stack([trials.at_once[trials.contexts.frame_id == frame].max(0).values for frame in trials.frame_id])
    return torch.maximum(rows, rows.T)


@dataclass(frozen=True)
class _Verified:
    bounds: tuple[Bound, ...]
    arms: tuple[Arm, ...]
    tries: tuple[Tries, ...]
    """of class-mates"""


@dataclass(frozen=True)
class _Trial:
    """What classes are tried with."""

    bench: CertifyInputs
    relation: Relation
    pools: Mapping[int, Pool]
    effort: Effort

    def of_mates(self, partition: Partition, some: slice, name: str) -> Tries | None:
        """Swap class-mates in some of the contexts of each pool; None where no pool has any of them."""
        contexts, places = _gathered(self.pools, shared_places(partition), some)
        if contexts is None:
            return None
        model, items = self.bench.model, self.bench.items
        drafts = [mates(partition, embedded(model, items[self.relation.frame_id]))]
        swapper = Swapper(model, items, self.effort.layer, self.bench.cache.about(name))
        return Tries(contexts, attempt(swapper, contexts, places=places, drafts=drafts)[0])

    def verified(self, partition: Partition, n_used: int) -> _Verified:
        """Bound how often classes fail in contexts after the first `n_used` of each pool, controls beside them."""
        beside, n_tried = self._beside_controls(partition, n_used), n_used + self.effort.n_verified
        tries, rest = list(beside.tries), None
        if self.effort.is_exhaustive:
            rest = self.of_mates(partition, slice(n_tried, None), "verified-rest")
        if rest is not None:
            tries.append(rest)
        whole = _whole(self.pools, partition, None if self.effort.is_exhaustive else n_tried)
        if not tries and not whole:
            return beside
        attempts = reduce(add, tries).attempts if tries else NOTHING
        found = bounds(attempts, partition, epsilon=self.effort.epsilon, exact=whole)
        return _Verified(found, beside.arms, tuple(tries))

    def _beside_controls(self, partition: Partition, n_used: int) -> _Verified:
        """Swap class-mates and controls in both models, in `n_verified` contexts of each pool."""
        some = slice(n_used, n_used + self.effort.n_verified)
        contexts, places = _gathered(self.pools, shared_places(partition), some)
        if contexts is None:
            return _Verified((), (), ())
        found = {}
        for name, model in (("trained", self.bench.model), ("untrained", self.bench.untrained)):
            drafts = self._drafts(partition, embedded(model, self.bench.items[self.relation.frame_id]), name)
            cache = self.bench.cache.about(f"verified-{name}")
            swapper = Swapper(model, self.bench.items, self.effort.layer, cache)
            attempts = attempt(swapper, contexts, places=places, drafts=list(drafts.values()))
            found[name] = dict(zip(drafts, attempts, strict=True))
        told = [
            arms(attempts, model=name, n_contexts=len(contexts), epsilon=self.effort.epsilon)
            for name, attempts in found.items()
        ]
        return _Verified((), tuple(chain.from_iterable(told)), (Tries(contexts, found["trained"][MATES]),))

    def _drafts(self, partition: Partition, embedding: Float32[Tensor, "frame d_model"], name: str) -> dict[str, Draft]:
        mated, seed = mates(partition, embedding), self.effort.seed
        return {
            MATES: mated,
            "norm-matched": norm_matched(mated, embedding, generator(seed, f"norm-matched/{name}")),
            "other classes": strangers(partition, embedding, generator(seed, "strangers")),
        }


def _whole(pools: Mapping[int, Pool], partition: Partition, n_used: int | None) -> dict[int, int]:
    """Return how many contexts those classes have of whose frames every distinct one was tried, by label."""
    found = {}
    for label in (partition.sizes > 1).nonzero().squeeze(1).tolist():
        theirs = [pools[place] for place in partition.members(label).tolist()]
        if all(pool.is_whole and (n_used is None or len(pool) <= n_used) for pool in theirs):
            found[label] = sum(pool.n_tried + len(pool) for pool in theirs)
    return found


def _pools(
    bench: CertifyInputs, formed: Partition, relation: Relation, tried: Contexts, effort: Effort
) -> Mapping[int, Pool]:
    rng = generator(effort.seed, "equivalence/fresh contexts")
    return {
        place: pool_of(
            bench.trajectories,
            bench.steps,
            int(relation.frame_id[place]),
            tried=tried[tried.frame_id == relation.frame_id[place]],
            generator=rng,
            largest=None if effort.is_exhaustive else LARGEST,
        )
        for place in shared_places(formed)
    }


def _gathered(
    pools: Mapping[int, Pool], places: Sequence[int], some: slice
) -> tuple[Contexts | None, Int64[Tensor, " context"]]:
    """Return some contexts of each pool that has any of them, and whose they are."""
    parts: list[tuple[int, Contexts]] = []
    for place in places:
        contexts = pools[place].contexts
        if contexts is not None and len(range(len(contexts))[some]):
            parts.append((place, contexts[some]))
    owners = torch.tensor([place for place, part in parts for _ in range(len(part))], dtype=torch.int64)
    if not parts:
        return None, owners
    windows = concatenate([part.windows for _, part in parts])
    return Contexts(windows, torch.cat([part.slot for _, part in parts])), owners
