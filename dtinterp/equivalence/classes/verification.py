"""Verification of classes: refined by counterexample, then tried beside controls in contexts never used before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.dataset.windows import window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.classes.certificates import Later, Stage, WorstSwap
from dtinterp.equivalence.classes.failure_bounds import MATES, Arm, Bound, arms, bounds
from dtinterp.equivalence.classes.refinement import Refinement, Round, later, refine, shared_places
from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.equivalence.swaps.feasible_swaps import Reachable
from dtinterp.equivalence.swaps.pools import LARGEST, Pool, gathered, pool_of
from dtinterp.equivalence.swaps.trials import embedded
from dtinterp.equivalence.swaps.within_class import (
    NOTHING,
    Attempts,
    Draft,
    Swapper,
    Tries,
    attempt,
    mates,
    norm_matched,
    some_of,
    strangers,
)
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.statistics import Interval
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class CertifyInputs:
    """The models and the data that classes are formed and verified on."""

    model: DecisionTransformer
    untrained: DecisionTransformer
    trajectories: Trajectories
    steps: Int64[Tensor, " held_out"]
    """that classes are formed and refined in"""
    items: Float32[Tensor, "table item"]
    cache: JobCache = NO_CACHE
    """where the swaps are kept, and who makes them"""
    agent: RecurrentActorCritic | None = None
    """who plays on the classes beside the model"""
    n_known: int | None = None
    """only the first so many frames of the table may be compared; None for all of them"""
    tested: Int64[Tensor, " tested"] | None = None
    """of other episodes, that classes are only tested in; None where they are tested in what is left of `steps`"""

    @property
    def all_steps(self) -> Int64[Tensor, " step"]:
        """All steps of the population."""
        return self.steps if self.tested is None else torch.cat([self.steps, self.tested])

    def at(self, steps: Int64[Tensor, " step"]) -> "CertifyInputs":
        """Return the same with only these steps."""
        tested = None if self.tested is None else self.tested[torch.isin(self.tested, steps)]
        return replace(self, steps=self.steps[torch.isin(self.steps, steps)], tested=tested)


@dataclass(frozen=True)
class VerifyConfig:
    """How hard classes are tried."""

    epsilon: float
    seed: int
    n_rounds: int = 0
    n_fresh: int = 0
    """contexts per frame and round"""
    n_verified: int = 0
    """contexts per frame that bounds and controls rest on"""
    layer: int = 0
    """the block that reads what is swapped"""
    n_mates: int | None = None
    """class-mates that are swapped in a context, at most, and as many of each control; None for all"""
    is_exhaustive: bool = False
    """whether class-mates are tried in every context that is left, beyond `n_verified`"""

    def drafts(self, partition: Partition, embedding: Float32[Tensor, "frame d_model"], model: str) -> dict[str, Draft]:
        """Return class-mates and the controls that stand in beside them in the model of that name."""
        theirs, others = mates(partition, embedding), strangers(partition, embedding, self._rng("strangers"))
        made_up = "norm-matched"
        if self.n_mates is None:
            made_up += f"/{model}"
        else:
            theirs = some_of(theirs, self.n_mates, self._rng("mates"))
            others = some_of(others, self.n_mates, self._rng("some strangers"))
        return {
            MATES: theirs,
            "norm-matched": norm_matched(theirs, embedding, self._rng(made_up)),
            "other classes": others,
        }

    def _rng(self, name: str) -> torch.Generator:
        return generator(self.seed, name if self.n_mates is None else f"assay/{name}")


@dataclass(frozen=True)
class Verified:
    """How classes fared in contexts that nothing was chosen by."""

    bounds: tuple[Bound, ...]
    """one per class of more than one observation"""
    arms: tuple[Arm, ...]
    """class-mates and controls in those contexts, of the trained model and of an untrained one"""


@dataclass(frozen=True)
class Verification:
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
class VerifiedClasses:
    """How classes fared, with all that was tried inside them after they were formed."""

    bounds: tuple[Bound, ...]
    arms: tuple[Arm, ...]
    later: tuple[Later, ...]


@dataclass(frozen=True)
class Verifier:
    """What tries classes in contexts that were never used before, and never twice in the same one."""

    inputs: CertifyInputs
    relation: Relation
    pools: Mapping[int, Pool]
    """contexts that classes are refined in"""
    tested: Mapping[int, Pool] | None
    """contexts of other episodes, none of whose windows these have; None where what refinement leaves is tested"""
    config: VerifyConfig

    @classmethod
    def of(
        cls, inputs: CertifyInputs, formed: Partition, relation: Relation, *, tried: Contexts, config: VerifyConfig
    ) -> "Verifier":
        """Gather the contexts that are left; `tried` are those that the classes were made from."""
        rng = generator(config.seed, "equivalence/fresh contexts")
        largest = None if config.is_exhaustive else LARGEST

        def pools(steps: Int64[Tensor, " side"]) -> dict[int, Pool]:
            return {
                place: pool_of(
                    inputs.trajectories,
                    steps,
                    int(relation.frame_id[place]),
                    tried=tried[tried.frame_id == relation.frame_id[place]],
                    generator=rng,
                    largest=largest,
                )
                for place in shared_places(formed)
            }

        refining = pools(inputs.steps)
        if inputs.tested is None:
            return cls(inputs, relation, refining, None, config)
        seen = window(inputs.trajectories, inputs.steps, inputs.model.cfg.n_slots)
        tested = {place: pool.unlike(seen) for place, pool in pools(inputs.tested).items()}
        return cls(inputs, relation, refining, tested, config)

    def refined(self, formed: Partition) -> Refinement:
        """Split classes by counterexample."""
        config = self.config

        def fresh(partition: Partition, number: int) -> Tries | None:
            some = slice(number * config.n_fresh, (number + 1) * config.n_fresh)
            return self._of_mates(self.pools, partition, some, f"round-{number}")

        return refine(formed, self.relation, epsilon=config.epsilon, n_rounds=config.n_rounds, fresh=fresh)

    def verified(self, partition: Partition, refinement: Refinement) -> VerifiedClasses:
        """Bound how often classes fail in contexts that the refinement did not use, controls beside them."""
        if self.tested is None:
            found, tries = self._tried(self.pools, partition, len(refinement.rounds) * self.config.n_fresh)
        else:
            found, tries = self._tried(self.tested, partition, 0)
        stages: dict[Stage, Sequence[Tries]] = {"refinement": refinement.tries, "verification": tries}
        joined: dict[Stage, Tries] = {stage: reduce(add, tries) for stage, tries in stages.items() if tries}
        return VerifiedClasses(found.bounds, found.arms, later(partition, joined, self.relation.frame_id))

    def _of_mates(self, pools: Mapping[int, Pool], partition: Partition, some: slice, name: str) -> Tries | None:
        """Swap class-mates in some of the contexts of each pool; None where no pool has any of them."""
        contexts, places = gathered(pools, shared_places(partition), some)
        if contexts is None:
            return None
        model, items = self.inputs.model, self.inputs.items
        drafts = [mates(partition, embedded(model, items[self.relation.frame_id]))]
        swapper = Swapper(model, items, self.config.layer, self.inputs.cache.about(name))
        return Tries(contexts, attempt(swapper, contexts, places=places, drafts=drafts)[0])

    def _tried(
        self, pools: Mapping[int, Pool], partition: Partition, n_used: int
    ) -> tuple[Verified, tuple[Tries, ...]]:
        """Bound how often classes fail in contexts after the first `n_used` of each pool, controls beside them.

        The tries are those of class-mates.
        """
        config, n_tried = self.config, n_used + self.config.n_verified
        contexts, places = gathered(pools, shared_places(partition), slice(n_used, n_tried))
        tries, controls = [], ()
        if contexts is not None:
            of_mates, controls = _beside_controls(
                self.inputs, partition, contexts, places=places, frame_id=self.relation.frame_id, config=config
            )
            tries.append(Tries(contexts, of_mates))
        after = slice(n_tried, None)
        rest = self._of_mates(pools, partition, after, "verified-rest") if config.is_exhaustive else None
        if rest is not None:
            tries.append(rest)
        whole = _whole(pools, partition, None if config.is_exhaustive else n_tried)
        if not tries and not whole:
            return Verified((), ()), ()
        attempts = reduce(add, tries).attempts if tries else NOTHING
        found = bounds(attempts, partition, epsilon=config.epsilon, exact=whole)
        return Verified(found, controls), tuple(tries)


def verify(
    inputs: CertifyInputs,
    partition: Partition,
    contexts: Contexts,
    *,
    frame_id: Int64[Tensor, " frame"],
    config: VerifyConfig,
) -> Verified:
    """Swap class-mates and controls in every context, in both models; no bound is called exact.

    `contexts` are of observations that have class-mates, and nothing was chosen by them; `frame_id` are all
    observations, as `partition` has them.
    """
    place = torch.full((int(frame_id.max()) + 1,), -1).scatter(0, frame_id, torch.arange(len(frame_id)))
    of_mates, found = _beside_controls(
        inputs, partition, contexts, places=place[contexts.frame_id], frame_id=frame_id, config=config
    )
    return Verified(bounds(of_mates, partition, epsilon=config.epsilon, exact={}), found)


def _beside_controls(
    inputs: CertifyInputs,
    partition: Partition,
    contexts: Contexts,
    *,
    places: Int64[Tensor, " context"],
    frame_id: Int64[Tensor, " frame"],
    config: VerifyConfig,
) -> tuple[Attempts, tuple[Arm, ...]]:
    """Swap class-mates and controls in every context, in both models; return the trained one's class-mates, and all."""
    of_mates, found = NOTHING, ()
    stage = "verified" if config.n_mates is None else "assay"
    for name, model in (("trained", inputs.model), ("untrained", inputs.untrained)):
        drafts = config.drafts(partition, embedded(model, inputs.items[frame_id]), name)
        swapper = Swapper(model, inputs.items, config.layer, inputs.cache.about(f"{stage}-{name}"))
        attempts = dict(
            zip(drafts, attempt(swapper, contexts, places=places, drafts=list(drafts.values())), strict=True)
        )
        of_mates = attempts[MATES] if name == "trained" else of_mates
        found += arms(attempts, model=name, n_contexts=len(contexts), epsilon=config.epsilon)
    return of_mates, found


def _whole(pools: Mapping[int, Pool], partition: Partition, n_used: int | None) -> dict[int, int]:
    """Return how many contexts those classes have of whose frames every distinct one was tried, by label."""
    found = {}
    for label in (partition.sizes > 1).nonzero().squeeze(1).tolist():
        theirs = [pools[place] for place in partition.members(label).tolist()]
        if all(pool.is_whole and (n_used is None or len(pool) <= n_used) for pool in theirs):
            found[label] = sum(pool.n_tried + len(pool) for pool in theirs)
    return found
