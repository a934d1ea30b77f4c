"""Contexts: real windows in which a chosen frame stands at a known slot, its future in view."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from dtinterp.dataset.windows import Windows, concatenate, window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.errors import UserError

ROUNDS = 8
"""Proposals per context that is wanted; those that repeat another are dropped."""


@dataclass(frozen=True)
class Contexts:
    """Windows and, in each, the slot whose frame is going to be swapped."""

    windows: Windows
    """one row a context"""
    slot: Int64[Tensor, " context"]
    """counted from 0"""

    def __post_init__(self) -> None:
        """Refuse emptiness, and a slot that holds no frame."""
        if len(self.slot) == 0:
            raise UserError("there are no contexts to swap observations in: draw at least one per observation.")
        if not self.windows.mask.gather(1, self.slot[:, None]).all():
            raise UserError("a context names a slot that is padding, expected a slot that holds an observation.")

    def __len__(self) -> int:
        """Return the number of contexts."""
        return len(self.slot)

    def __getitem__(self, index: slice | Int64[Tensor, " chosen"] | Bool[Tensor, " context"]) -> "Contexts":
        """Return the chosen contexts."""
        return Contexts(self.windows[index], self.slot[index])

    @property
    def frame_id(self) -> Int64[Tensor, " context"]:
        """The frame that stands at the slot: a row of the trajectories' frame table."""
        return self.windows.frame_id.gather(1, self.slot[:, None]).squeeze(1)

    def seen(self) -> Int64[Tensor, "context number"]:
        """Return all that the model sees of each context, and the slot; it never sees the action of the last slot."""
        windows = self.windows
        parts = [windows.frame_id, windows.action[:, :-1], windows.time, windows.rtg.view(torch.int32), windows.mask]
        return torch.cat([self.slot[:, None], *(part.long() for part in parts)], dim=1)


def draw_contexts(
    trajectories: Trajectories,
    steps: Int64[Tensor, " side"],
    *,
    frame_id: Int64[Tensor, " frame"],
    n_contexts: int,
    n_slots: int,
    generator: torch.Generator,
) -> Contexts:
    """Return up to `n_contexts` distinct contexts for each frame, frame after frame, from whole episodes among `steps`.

    A context is a visit of the frame at step u and a future of h further steps: the window ends at u + h, so the frame
    stands at slot `n_slots − 1 − h`, and the decisions at u, u + 1, …, u + h are in view. The i-th of n contexts draws
    h uniformly from the i-th of n equal parts of [0, n_slots): the first contexts show what a frame does at once, after
    its longest past, and the last ones what it does later. Then u is drawn uniformly from the visits whose episode goes
    on for h steps; where no visit does, h is the longest future that one has. Fewer contexts are returned where fewer
    distinct ones came up in `ROUNDS` proposals for each. Raises `UserError` for a frame that `steps` never show.
    """
    parts = []
    for frame in frame_id.tolist():
        visits = steps[trajectories.frame_id[steps] == frame]
        if len(visits) == 0:
            raise UserError(
                f"frame {frame} stands at no step of these histories, so it has no contexts: choose frames that do."
            )
        proposed = _propose(trajectories, visits, n_contexts=n_contexts, n_slots=n_slots, generator=generator)
        parts.append(distinct(proposed)[:n_contexts])
    return Contexts(concatenate([part.windows for part in parts]), torch.cat([part.slot for part in parts]))


def _propose(
    trajectories: Trajectories,
    visits: Int64[Tensor, " visit"],
    *,
    n_contexts: int,
    n_slots: int,
    generator: torch.Generator,
) -> Contexts:
    """Return `ROUNDS` × `n_contexts` contexts of one frame, part after part of the futures, round after round."""
    n_proposals = ROUNDS * n_contexts
    part = torch.arange(n_proposals) % n_contexts
    within, luck = torch.rand(2, n_proposals, dtype=torch.float64, generator=generator)
    remaining = trajectories.length[trajectories.episode[visits]] - 1 - trajectories.time[visits]
    future = ((part + within) * n_slots / n_contexts).long().clamp(max=min(n_slots - 1, int(remaining.max())))
    longest_first = remaining.argsort(descending=True, stable=True)
    n_eligible = (remaining >= future[:, None]).sum(1)
    chosen = visits[longest_first[(luck * n_eligible).long()]]
    return Contexts(window(trajectories, chosen + future, n_slots), n_slots - 1 - future)


def distinct(contexts: Contexts) -> Contexts:
    """Return the contexts without those that look to the model like an earlier one."""
    first = np.unique(contexts.seen().numpy(), axis=0, return_index=True)[1]
    return contexts[torch.from_numpy(np.sort(first))]


def unlike(contexts: Contexts, used: Sequence[Contexts]) -> Contexts | None:
    """Return the contexts that look to the model unlike any of `used`; None where none is left."""
    known = {row.tobytes() for part in used for row in part.seen().numpy()}
    is_new = torch.tensor([row.tobytes() not in known for row in contexts.seen().numpy()])
    return contexts[is_new] if is_new.any() else None
