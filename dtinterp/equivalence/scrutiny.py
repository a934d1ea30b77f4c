"""Classes become classes that withstood fresh contexts, with bounds and controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.dataset.windows import concatenate
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.certificates import WorstSwap
from dtinterp.equivalence.classes import Partition
from dtinterp.equivalence.contexts import Contexts
from dtinterp.equivalence.inside import Attempts, Swapper, attempt, mates, norm_matched, strangers
from dtinterp.equivalence.ledger import HERE, Ledger
from dtinterp.equivalence.pools import Pool, pool_of
from dtinterp.equivalence.reach import Reachable
from dtinterp.equivalence.refinement import Round, refine, shared_places
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.trials import Trials, embedded
from dtinterp.equivalence.verification import MATES, Arm, Bound, arms, bounds
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.statistics import Interval
from dtinterp.model.transformer import DecisionTransformer


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


@dataclass(frozen=True)
class Effort:
    """How hard classes are tried."""

    epsilon: float
    n_rounds: int
    n_fresh: int
    """contexts per frame and round"""
    n_verified: int
    """contexts per frame that bounds rest on"""
    seed: int
    layer: int
    """the block that reads what is swapped"""


@dataclass(frozen=True)
class Tested:
    """Classes after refinement, with bounds and controls."""

    partition: Partition
    rounds: tuple[Round, ...]
    counterexamples: tuple[WorstSwap, ...]
    bounds: tuple[Bound, ...]
    arms: tuple[Arm, ...]


@dataclass(frozen=True)
class Bench:
    """The models and the data that classes are tried on."""

    model: DecisionTransformer
    untrained: DecisionTransformer
    trajectories: Trajectories
    steps: Int64[Tensor, " held_out"]
    items: Float32[Tensor, "table item"]
    ledger: Ledger = HERE
    """where the swaps are kept, and who makes them"""
    agent: RecurrentActorCritic | None = None
    """who plays on the classes beside the model"""


def put_to_the_test(bench: Bench, formed: Partition, relation: Relation, *, tried: Contexts, effort: Effort) -> Tested:
    """Refine classes by counterexample and bound how often they fail, each in contexts that were never used before.

    `tried` are the contexts that the classes were made from.
    """
    pools = _pools(bench, formed, relation, tried, effort.seed)
    embedding = embedded(bench.model, bench.items[relation.frame_id])

    def fresh(partition: Partition, number: int) -> tuple[Contexts | None, Attempts | None]:
        contexts, places = _gathered(pools, shared_places(partition), number * effort.n_fresh, effort.n_fresh)
        if contexts is None:
            return None, None
        drafts = [mates(partition, embedding)]
        swapper = Swapper(bench.model, bench.items, effort.layer, bench.ledger.about(f"round-{number}"))
        return contexts, attempt(swapper, contexts, places=places, drafts=drafts)[0]

    refined = refine(formed, relation, epsilon=effort.epsilon, n_rounds=effort.n_rounds, fresh=fresh)
    used = len(refined.rounds) * effort.n_fresh
    found_bounds, found_arms = _verified(bench, refined.partition, pools, relation, used=used, effort=effort)
    return Tested(refined.partition, refined.rounds, refined.counterexamples, found_bounds, found_arms)


def at_once(trials: Trials) -> Float32[Tensor, "frame frame"]:
    """Return the largest divergence of each two frames at the decision of the swapped slot, of either direction."""
    rows = torch.stack([trials.at_once[trials.contexts.frame_id == frame].max(0).values for frame in trials.frame_id])
    return torch.maximum(rows, rows.T)


def _verified(
    bench: Bench, partition: Partition, pools: Mapping[int, Pool], relation: Relation, *, used: int, effort: Effort
) -> tuple[tuple[Bound, ...], tuple[Arm, ...]]:
    contexts, places = _gathered(pools, shared_places(partition), used, effort.n_verified)
    if contexts is None:
        return (), ()
    found = {}
    for name, model in (("trained", bench.model), ("untrained", bench.untrained)):
        embedding = embedded(model, bench.items[relation.frame_id])
        mated = mates(partition, embedding)
        drafts = {
            MATES: mated,
            "norm-matched": norm_matched(mated, embedding, generator(effort.seed, f"norm-matched/{name}")),
            "other classes": strangers(partition, embedding, generator(effort.seed, "strangers")),
        }
        swapper = Swapper(model, bench.items, effort.layer, bench.ledger.about(f"verified-{name}"))
        attempts = attempt(swapper, contexts, places=places, drafts=list(drafts.values()))
        found[name] = dict(zip(drafts, attempts, strict=True))
    whole = _whole(pools, partition, used + effort.n_verified)
    return (
        bounds(found["trained"][MATES], partition, epsilon=effort.epsilon, exact=whole),
        tuple(
            arm
            for name, attempts in found.items()
            for arm in arms(attempts, model=name, n_contexts=len(contexts), epsilon=effort.epsilon)
        ),
    )


def _whole(pools: Mapping[int, Pool], partition: Partition, n_used: int) -> Sequence[int]:
    """Return the classes of whose frames every distinct context was tried."""
    return [
        label
        for label in (partition.sizes > 1).nonzero().squeeze(1).tolist()
        if all(pools[place].is_whole and len(pools[place]) <= n_used for place in partition.members(label).tolist())
    ]


def _pools(bench: Bench, formed: Partition, relation: Relation, tried: Contexts, seed: int) -> Mapping[int, Pool]:
    rng = generator(seed, "equivalence/fresh contexts")
    return {
        place: pool_of(
            bench.trajectories,
            bench.steps,
            int(relation.frame_id[place]),
            tried=tried[tried.frame_id == relation.frame_id[place]],
            generator=rng,
        )
        for place in shared_places(formed)
    }


def _gathered(
    pools: Mapping[int, Pool], places: Sequence[int], first: int, n: int
) -> tuple[Contexts | None, Int64[Tensor, " context"]]:
    """Return contexts `first` to `first + n` of each pool that has so many, and whose they are."""
    parts: list[tuple[int, Contexts]] = []
    for place in places:
        contexts = pools[place].contexts
        if contexts is not None and len(contexts) > first and n:
            parts.append((place, contexts[first : first + n]))
    owners = torch.tensor([place for place, part in parts for _ in range(len(part))], dtype=torch.int64)
    if not parts:
        return None, owners
    windows = concatenate([part.windows for _, part in parts])
    return Contexts(windows, torch.cat([part.slot for _, part in parts])), owners
