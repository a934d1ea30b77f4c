"""Refinement of classes by counterexample, in contexts that they were not made from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.equivalence.classes.certificates import Later, Stage, WorstSwap
from dtinterp.equivalence.partition import Partition, classes, partition_of
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.within_class import Attempts, Tries

N_SHOWN = 5
"""Counterexamples that are kept for looking at, the worst ones."""


@dataclass(frozen=True)
class Round:
    """One time that every shared class was tried in fresh contexts."""

    n_contexts: int
    n_swaps: int
    n_counterexamples: int
    """swaps inside a class that moved a decision by more than epsilon"""
    n_classes: int
    """after the classes with counterexamples were split"""


@dataclass(frozen=True)
class Refinement:
    """How classes fared, round after round, until a round found nothing or the rounds were used up."""

    partition: Partition
    """the classes in the end"""
    rounds: tuple[Round, ...]
    counterexamples: tuple[WorstSwap, ...]
    """the worst of all rounds"""
    tries: tuple[Tries, ...]
    """what was tried in each round"""
    maximum: Float32[Tensor, "frame frame"]
    """the largest divergence that any swap of each two frames met by then, of either direction, in bits"""


Fresh = Callable[[Partition, int], Tries | None]
"""Tries the class-mates of a partition in contexts of a round that no earlier round used; None where none are left."""


def refine(
    partition: Partition,
    relation: Relation,
    *,
    epsilon: float,
    n_rounds: int,
    fresh: Fresh,
) -> Refinement:
    """Try the classes in fresh contexts and split those in which a swap moves a decision by more than `epsilon` bits.

    A class is split by complete linkage on all that was found in it so far, so the result refines `partition`, and no
    swap that was tried inside any of its classes moved the model by more than epsilon. It ends with a round that finds
    no such swap, or where there is nothing left to try, or else after `n_rounds`.
    """
    maximum, rounds, worst, tries = relation.maximum.clone(), [], [], []
    for number in range(n_rounds):
        tried = fresh(partition, number)
        if tried is None:
            break
        attempts = tried.attempts
        _raise(maximum, attempts)
        beyond = attempts.peak > epsilon
        worst += worst_of(tried, relation.frame_id, n=N_SHOWN, above=epsilon)
        partition = split(partition, maximum, relation, epsilon)
        rounds.append(Round(len(tried.contexts), len(attempts), int(beyond.sum()), partition.n_classes))
        tries.append(tried)
        if not beyond.any():
            break
    shown = tuple(sorted(worst, key=lambda swap: -swap.divergence)[:N_SHOWN])
    return Refinement(partition, tuple(rounds), shown, tuple(tries), maximum)


def has_ended(rounds: Sequence[Round], n_rounds: int) -> bool:
    """Return whether a round found no counterexample, or nothing was left to try, before all rounds were used up."""
    return len(rounds) < n_rounds or (len(rounds) > 0 and not rounds[-1].n_counterexamples)


def worst_of(tried: Tries, frame_id: Int64[Tensor, " frame"], *, n: int, above: float) -> list[WorstSwap]:
    """Return the `n` swaps that moved the model most, if by more than `above` bits, the worst first."""
    peak = tried.attempts.peak
    order = peak.argsort(descending=True, stable=True)[:n]
    return [_opened(tried, frame_id, swap) for swap in order.tolist() if peak[swap] > above]


def later(partition: Partition, stages: Mapping[Stage, Tries], frame_id: Int64[Tensor, " frame"]) -> tuple[Later, ...]:
    """Return what was tried inside each class at each of the stages, where anything was."""
    found = []
    for stage, tried in stages.items():
        own = partition.label[tried.attempts.place]
        is_inside = own == partition.label[tried.attempts.stand_in]
        for label in own[is_inside].unique().tolist():
            inside = (is_inside & (own == label)).nonzero().squeeze(1)
            worst = int(inside[tried.attempts.peak[inside].argmax()])
            swap = _opened(tried, frame_id, worst)
            found.append(Later(label, stage, len(inside), swap.divergence, swap))
    return tuple(found)


def _opened(tried: Tries, frame_id: Int64[Tensor, " frame"], swap: int) -> WorstSwap:
    attempts, contexts = tried.attempts, tried.contexts
    context = int(attempts.context[swap])
    return WorstSwap(
        frame=int(frame_id[attempts.place[swap]]),
        stand_in=int(frame_id[attempts.stand_in[swap]]),
        step=int(contexts.windows.step[context, -1]),
        slot=int(contexts.slot[context]),
        decision=int(attempts.decision[swap]),
        divergence=float(attempts.peak[swap]),
    )


def _raise(maximum: Float32[Tensor, "frame frame"], attempts: Attempts) -> None:
    """Raise the largest divergence of each pair to what the attempts found, in both directions."""
    for one, other in ((attempts.place, attempts.stand_in), (attempts.stand_in, attempts.place)):
        flat = one * len(maximum) + other
        maximum.view(-1).scatter_reduce_(0, flat, attempts.peak, reduce="amax")


def split(
    partition: Partition, maximum: Float32[Tensor, "frame frame"], relation: Relation, epsilon: float
) -> Partition:
    """Return the classes split, each by complete linkage of its members at `maximum`, so that none exceeds epsilon."""
    label = torch.empty_like(partition.label)
    n_labels = 0
    for old in range(partition.n_classes):
        members = partition.members(old)
        parts = classes(_within(maximum, relation, members), epsilon)
        label[members] = n_labels + parts.label
        n_labels += parts.n_classes
    return partition_of(label, partition.name)


def _within(maximum: Float32[Tensor, "frame frame"], relation: Relation, members: Int64[Tensor, " member"]) -> Relation:
    chosen = (members[:, None], members[None, :])
    return Relation(
        relation.mean[chosen], maximum[chosen], relation.n_contexts[chosen], relation.frame_id[members], relation.name
    )


def shared_places(partition: Partition) -> Sequence[int]:
    """Return the places of the frames that have class-mates."""
    return (partition.sizes[partition.label] > 1).nonzero().squeeze(1).tolist()
