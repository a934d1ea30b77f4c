"""Classes and fresh contexts become swaps between class-mates only, beside stand-ins that should not pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from dtinterp.equivalence.classes import Partition
from dtinterp.equivalence.contexts import Contexts
from dtinterp.equivalence.trials import moved
from dtinterp.foundation.logbook import progress
from dtinterp.model.continuation import continuation
from dtinterp.model.transformer import DecisionTransformer


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


Draft = Callable[[int], tuple[Int64[Tensor, " swap"], Float32[Tensor, "swap d_model"]]]
"""What stands in for the frame at a place: places, and the embeddings that are put there."""


def attempt(
    model: DecisionTransformer,
    contexts: Contexts,
    *,
    items: Float32[Tensor, "table item"],
    places: Int64[Tensor, " context"],
    drafts: Sequence[Draft],
    layer: int = 0,
) -> tuple[Attempts, ...]:
    """Put what each of `drafts` says in the place of each context's own frame; one result per draft.

    `places` are the contexts' own frames among the chosen ones, and `items` the one-hot coded frame table. All drafts
    of a context share its past. `layer` is the block that reads what is swapped.
    """
    found: list[list[Attempts]] = [[] for _ in drafts]
    with progress("trying classes in fresh contexts", len(contexts)) as bar:
        for index, place in enumerate(places.tolist()):
            drawn = [draft(place) for draft in drafts]
            divergence = _divergence(model, contexts[index : index + 1], items, [part for _, part in drawn], layer)
            slot = int(contexts.slot[index])
            for kept, (stand_in, _), part in zip(found, drawn, divergence, strict=True):
                kept.append(_attempts(index, place, stand_in, part, slot))
            bar.advance()
    return tuple(_joined(kept) for kept in found)


def mates(partition: Partition, embedding: Float32[Tensor, "frame d_model"]) -> Draft:
    """Return the draft of all the other frames of a frame's class."""

    def draft(place: int) -> tuple[Int64[Tensor, " swap"], Float32[Tensor, "swap d_model"]]:
        members = partition.members(int(partition.label[place]))
        chosen = members[members != place]
        return chosen, embedding[chosen]

    return draft


def strangers(partition: Partition, embedding: Float32[Tensor, "frame d_model"], generator: torch.Generator) -> Draft:
    """Return the draft of as many frames of other classes, drawn anew for each context; fewer where there are fewer."""

    def draft(place: int) -> tuple[Int64[Tensor, " swap"], Float32[Tensor, "swap d_model"]]:
        others = (partition.label != partition.label[place]).nonzero().squeeze(1)
        n_mates = int(partition.sizes[partition.label[place]]) - 1
        chosen = others[torch.randperm(len(others), generator=generator)[:n_mates]]
        return chosen, embedding[chosen]

    return draft


def norm_matched(
    partition: Partition, embedding: Float32[Tensor, "frame d_model"], generator: torch.Generator
) -> Draft:
    """Return the draft of made-up embeddings, as far from a frame's own as its class-mates are.

    The directions are random sums of the frames' deviations from their mean, so they lie where frames differ: noise in
    directions that no frame uses would prove nothing.
    """
    deviation = embedding - embedding.mean(0)

    def draft(place: int) -> tuple[Int64[Tensor, " swap"], Float32[Tensor, "swap d_model"]]:
        chosen, theirs = mates(partition, embedding)(place)
        weights = torch.randn(len(chosen), len(embedding), generator=generator)
        direction = torch.nn.functional.normalize(weights @ deviation, dim=1)  # swap d_model
        distance = (theirs - embedding[place]).norm(dim=1, keepdim=True)
        return chosen, embedding[place] + distance * direction

    return draft


def _divergence(
    model: DecisionTransformer,
    context: Contexts,
    items: Float32[Tensor, "table item"],
    stand_ins: Sequence[Float32[Tensor, "_ d_model"]],
    layer: int,
) -> tuple[Float64[Tensor, "_ decision"], ...]:
    """Return the divergence of every decision from what it was with the frame that really stood there."""
    start = continuation(model, context.windows, items, int(context.slot))
    own = (items[context.frame_id] @ model.W_obs).float()
    logits = start.logits(torch.cat([own, *stand_ins]).detach(), layer=layer)
    return moved(logits[1:], logits[0]).divergence.split([len(part) for part in stand_ins])


def _attempts(
    index: int, place: int, stand_in: Int64[Tensor, " swap"], divergence: Float64[Tensor, "swap decision"], slot: int
) -> Attempts:
    peak, decision = divergence.max(1)
    return Attempts(
        torch.full_like(stand_in, index), torch.full_like(stand_in, place), stand_in, peak.float(), slot + decision
    )


def _joined(parts: Sequence[Attempts]) -> Attempts:
    return Attempts(
        context=torch.cat([part.context for part in parts]),
        place=torch.cat([part.place for part in parts]),
        stand_in=torch.cat([part.stand_in for part in parts]),
        peak=torch.cat([part.peak for part in parts]),
        decision=torch.cat([part.decision for part in parts]),
    )
