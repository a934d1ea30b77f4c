"""Classes of many observations and fresh contexts become bounds and controls, without a table of all pairs.

What a certificate says of a hundred observations: how often a class fails in contexts that nothing was chosen by,
beside made-up embeddings, strangers and an untrained model. Of a large class some mates are drawn for each context, and
as many of each control.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.equivalence.classes.scrutiny import CertifyInputs
from dtinterp.equivalence.classes.verification import MATES, Arm, Bound, arms, bounds
from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.equivalence.swaps.trials import embedded
from dtinterp.equivalence.swaps.within_class import Draft, Swapper, attempt, mates, norm_matched, some_of, strangers
from dtinterp.foundation.seeding import generator


@dataclass(frozen=True)
class Rigour:
    """How hard classes of many observations are tried."""

    epsilon: float
    n_mates: int
    """class-mates that are swapped in a context, at most, and as many of each control"""
    seed: int


@dataclass(frozen=True)
class Assay:
    """How classes fared in contexts that nothing was chosen by."""

    bounds: tuple[Bound, ...]
    """one per class of more than one observation; none is called exact"""
    arms: tuple[Arm, ...]
    """class-mates and controls in those contexts, of the trained model and of an untrained one"""


def assay(
    bench: CertifyInputs,
    partition: Partition,
    contexts: Contexts,
    *,
    frame_id: Int64[Tensor, " frame"],
    rigour: Rigour,
) -> Assay:
    """Swap class-mates and controls in every context, in both models.

    `contexts` are of observations that have class-mates, and nothing was chosen by them; `frame_id` are all
    observations, as `partition` has them.
    """
    place = torch.full((int(frame_id.max()) + 1,), -1).scatter(0, frame_id, torch.arange(len(frame_id)))
    found = {}
    for name, model in (("trained", bench.model), ("untrained", bench.untrained)):
        drafts = _drafts(partition, embedded(model, bench.items[frame_id]), rigour)
        swapper = Swapper(model, bench.items, cache=bench.cache.about(f"assay-{name}"))
        attempts = attempt(swapper, contexts, places=place[contexts.frame_id], drafts=list(drafts.values()))
        found[name] = dict(zip(drafts, attempts, strict=True))
    return Assay(
        bounds=bounds(found["trained"][MATES], partition, epsilon=rigour.epsilon, exact={}),
        arms=tuple(
            arm
            for name, attempts in found.items()
            for arm in arms(attempts, model=name, n_contexts=len(contexts), epsilon=rigour.epsilon)
        ),
    )


def _drafts(partition: Partition, embedding: Float32[Tensor, "frame d_model"], rigour: Rigour) -> Mapping[str, Draft]:
    theirs = some_of(mates(partition, embedding), rigour.n_mates, generator(rigour.seed, "assay/mates"))
    others = strangers(partition, embedding, generator(rigour.seed, "assay/strangers"))
    return {
        MATES: theirs,
        "norm-matched": norm_matched(theirs, embedding, generator(rigour.seed, "assay/norm-matched")),
        "other classes": some_of(others, rigour.n_mates, generator(rigour.seed, "assay/some strangers")),
    }
