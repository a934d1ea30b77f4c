"""Swaps between class-mates in fresh contexts, beside stand-ins as controls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from dtinterp.dataset.windows import concatenate
from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.equivalence.swaps.trials import moved
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache, numbered
from dtinterp.interventions.controls.drawn import directions_of_differences
from dtinterp.model.network.continuation import continuation
from dtinterp.model.network.transformer import DecisionTransformer

CONTEXTS_AT_ONCE = 64
"""Contexts in a piece of work."""


@dataclass(frozen=True)
class Attempts:
    """Swaps that were tried, one after the other."""

    context: Int64[Tensor, " swap"]
    """row of the contexts"""
    place: Int64[Tensor, " swap"]
    """place of the frame that really stood there among the chosen ones"""
    stand_in: Int64[Tensor, " swap"]
    """place of the frame that was put there, or that a made-up embedding takes after"""
    peak: Float32[Tensor, " swap"]
    """largest divergence of a decision, in bits"""
    decision: Int64[Tensor, " swap"]
    """slot of the decision that moved most, counted from 0"""

    def __len__(self) -> int:
        """Return the number of swaps."""
        return len(self.peak)


@dataclass(frozen=True)
class Tries:
    """Swaps, and the contexts that they were tried in."""

    contexts: Contexts
    attempts: Attempts

    def __add__(self, others: "Tries") -> "Tries":
        """Return both, one after the other."""
        moved_on = replace(others.attempts, context=others.attempts.context + len(self.contexts))
        pairs = {name: (getattr(self.attempts, name), getattr(moved_on, name)) for name in COLUMNS}
        windows = concatenate([self.contexts.windows, others.contexts.windows])
        slot = torch.cat([self.contexts.slot, others.contexts.slot])
        return Tries(Contexts(windows, slot), Attempts(**{name: torch.cat(pair) for name, pair in pairs.items()}))


COLUMNS = tuple(field.name for field in fields(Attempts))
NOTHING = Attempts(*(torch.zeros(0, dtype=dtype) for dtype in (torch.int64,) * 3 + (torch.float32, torch.int64)))
"""No swap at all."""


@dataclass(frozen=True)
class StandIns:
    """What is put in a frame's place."""

    place: Int64[Tensor, " swap"]
    """of the frames that it is, or that a made-up embedding takes after"""
    embedding: Float32[Tensor, "swap d_model"]

    def __len__(self) -> int:
        """Return the number of stand-ins."""
        return len(self.place)

    def __getitem__(self, chosen: Int64[Tensor, " chosen"]) -> "StandIns":
        """Return the chosen ones."""
        return StandIns(self.place[chosen], self.embedding[chosen])


Draft = Callable[[int], StandIns]
"""What stands in for the frame at a place."""


@dataclass(frozen=True)
class Swapper:
    """What puts stand-ins into windows."""

    model: DecisionTransformer
    items: Float32[Tensor, "table item"]
    """the one-hot coded frame table"""
    layer: int = 0
    """the block that reads what is swapped"""
    cache: JobCache = NO_CACHE


def attempt(
    swapper: Swapper, contexts: Contexts, *, places: Int64[Tensor, " context"], drafts: Sequence[Draft]
) -> tuple[Attempts, ...]:
    """Put what each of `drafts` says in the place of each context's own frame; one result per draft.

    `places` are the contexts' own frames among the chosen ones. All drafts of a context share its past.
    """
    drawn = [
        _Drawn(contexts[index : index + 1], index, place, [draft(place) for draft in drafts])
        for index, place in enumerate(places.tolist())
    ]
    jobs = {name: drawn[part] for name, part in numbered(len(drawn), CONTEXTS_AT_ONCE).items()}
    parts = swapper.cache.done("trying classes in fresh contexts", jobs, partial(_tried, swapper))
    return tuple(
        Attempts(**{name: torch.cat([part[f"{name}-{number}"] for part in parts]) for name in COLUMNS})
        for number in range(len(drafts))
    )


def mates(partition: Partition, embedding: Float32[Tensor, "frame d_model"]) -> Draft:
    """Return the draft of all the other frames of a frame's class."""

    def draft(place: int) -> StandIns:
        members = partition.members(int(partition.label[place]))
        chosen = members[members != place]
        return StandIns(chosen, embedding[chosen])

    return draft


def strangers(partition: Partition, embedding: Float32[Tensor, "frame d_model"], generator: torch.Generator) -> Draft:
    """Return the draft of as many frames of other classes, drawn anew for each context; fewer where there are fewer."""

    def draft(place: int) -> StandIns:
        others = (partition.label != partition.label[place]).nonzero().squeeze(1)
        n_mates = int(partition.sizes[partition.label[place]]) - 1
        chosen = others[torch.randperm(len(others), generator=generator)[:n_mates]]
        return StandIns(chosen, embedding[chosen])

    return draft


def norm_matched(theirs: Draft, embedding: Float32[Tensor, "frame d_model"], generator: torch.Generator) -> Draft:
    """Return the draft of made-up embeddings, as far from a frame's own as `theirs` are, its class-mates.

    The directions are random sums of the frames' deviations from their mean, so they lie where frames differ: noise in
    directions that no frame uses would prove nothing.
    """
    deviation = embedding - embedding.mean(0)

    def draft(place: int) -> StandIns:
        matched = theirs(place)
        direction = directions_of_differences(deviation, len(matched), generator)  # swap d_model
        distance = (matched.embedding - embedding[place]).norm(dim=1, keepdim=True)
        return StandIns(matched.place, embedding[place] + distance * direction)

    return draft


def some_of(draft: Draft, most: int, generator: torch.Generator) -> Draft:
    """Return the draft of at most so many of what `draft` gives, drawn anew for each context."""

    def drawn(place: int) -> StandIns:
        stand_ins = draft(place)
        return stand_ins[torch.randperm(len(stand_ins), generator=generator)[:most]]

    return drawn


@dataclass(frozen=True)
class _Drawn:
    """One context, and what each draft says for it."""

    context: Contexts
    index: int
    place: int
    stand_ins: Sequence[StandIns]


def _tried(swapper: Swapper, drawn: Sequence[_Drawn]) -> dict[str, Tensor]:
    """Return the columns of the attempts of each draft, all contexts one after the other."""
    found = [_attempts(each, _divergence(swapper, each)) for each in drawn]
    return {
        f"{name}-{number}": torch.cat([getattr(attempts[number], name) for attempts in found])
        for number in range(len(drawn[0].stand_ins))
        for name in COLUMNS
    }


def _divergence(swapper: Swapper, drawn: _Drawn) -> tuple[Float64[Tensor, "_ decision"], ...]:
    """Return the divergence of every decision from what it was with the frame that really stood there."""
    model, items, context = swapper.model, swapper.items, drawn.context
    start = continuation(model, context.windows, items, int(context.slot))
    own = (items[context.frame_id] @ model.W_obs).float()
    embedding = [part.embedding for part in drawn.stand_ins]
    logits = start.logits(torch.cat([own, *embedding]).detach(), layer=swapper.layer)
    return moved(logits[1:], logits[0]).divergence.split([len(part) for part in embedding])


def _attempts(drawn: _Drawn, divergence: Sequence[Float64[Tensor, "_ decision"]]) -> list[Attempts]:
    found = []
    for stand_ins, part in zip(drawn.stand_ins, divergence, strict=True):
        (peak, decision), stand_in = part.max(1), stand_ins.place
        context, place = torch.full_like(stand_in, drawn.index), torch.full_like(stand_in, drawn.place)
        found.append(Attempts(context, place, stand_in, peak.float(), int(drawn.context.slot) + decision))
    return found
