"""All distinct contexts of a frame, in random order: the population that a certificate speaks of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.dataset.packing import unlike as unlike_windows
from dtinterp.dataset.windows import Windows, concatenate, window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.swaps.contexts import Contexts, distinct, unlike

LARGEST = 6_000
"""Pairs of a visit and a future from which a pool is made; of a frame with more, that many are drawn."""


@dataclass(frozen=True)
class Pool:
    """Distinct contexts of one frame that were not tried before."""

    contexts: Contexts | None
    """in random order, one that is met often no earlier than others; None where none is left"""
    is_whole: bool
    """whether no other context of the frame was left out"""
    n_tried: int = 0
    """contexts of the frame that are not among them, since they were tried before"""

    def __len__(self) -> int:
        """Return the number of contexts."""
        return 0 if self.contexts is None else len(self.contexts)

    def unlike(self, seen: Windows) -> "Pool":
        """Return the contexts whose windows a model can tell from all of `seen`, and of which more may be elsewhere."""
        is_new = None if self.contexts is None else unlike_windows(self.contexts.windows, seen)
        if self.contexts is None or is_new is None or not is_new.any():
            return Pool(None, is_whole=False)
        return Pool(self.contexts[is_new], is_whole=False)


def pool_of(
    trajectories: Trajectories,
    steps: Int64[Tensor, " side"],
    frame: int,
    *,
    tried: Contexts,
    generator: torch.Generator,
    largest: int | None = LARGEST,
) -> Pool:
    """Return the contexts of `frame` in whole episodes among `steps` that look unlike any of `tried`.

    They are the pairs of a visit and a future of 0 to `n_slots` − 1 further steps, as long as the episode goes on, for
    the slots of `tried`; of more than `largest` pairs, that many are drawn.
    """
    n_slots = tried.windows.n_slots
    visits = steps[trajectories.frame_id[steps] == frame]
    if not len(visits):
        return Pool(None, is_whole=True)
    remaining = trajectories.length[trajectories.episode[visits]] - 1 - trajectories.time[visits]
    visit, future = (torch.arange(n_slots) <= remaining[:, None]).nonzero(as_tuple=True)
    order = torch.randperm(len(visit), generator=generator)[:largest]
    visit, future = visit[order], future[order]
    found = distinct(Contexts(window(trajectories, visits[visit] + future, n_slots), n_slots - 1 - future))
    found = found[torch.randperm(len(found), generator=generator)]  # those met often came first
    n_pairs = int(remaining.clamp(max=n_slots - 1).sum()) + len(visits)
    fresh = unlike(found, [tried])
    n_tried = len(found) - (0 if fresh is None else len(fresh))
    return Pool(fresh, is_whole=len(order) == n_pairs, n_tried=n_tried)


def gathered(
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
