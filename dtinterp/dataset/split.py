"""The split of demonstrations: a training side and a held-out side that share no episode content.

Frames that training never shows are those of the held-out side alone. Which frames count as unseen to a dictionary is
told by `subject/unseen_frames.py`.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories, episode_content
from dtinterp.foundation.errors import UserError

COMMON = 0.01
"""Share of the episodes above which a content that occurs twice or more is never held out.

A good agent repeats its few best episodes thousands of times; to hold one out would take a whole situation from
training instead of testing it.
"""


@dataclass(frozen=True)
class Split:
    """Flat steps on either side; frames that only the held-out side shows are listed."""

    train: Int64[Tensor, " train"]
    held_out: Int64[Tensor, " held_out"]
    held_out_frames: Int64[Tensor, " frame"]
    """rows of the frame table that no training step shows"""
    n_contents: int
    """distinct episodes (frames and actions)"""

    @property
    def counts(self) -> dict[str, int]:
        """How much was held out, and how many frames training never shows."""
        return {
            "n_contents": self.n_contents,
            "n_train_steps": len(self.train),
            "n_held_out_steps": len(self.held_out),
            "n_held_out_frames": len(self.held_out_frames),
        }


def split(trajectories: Trajectories, *, share: float, generator: torch.Generator) -> Split:
    """Hold out `share` of the distinct episodes, none of the `COMMON` ones.

    Two episodes of equal content stand on one side. Raises `UserError` for an impossible share, or too few episodes.
    """
    if not 0 < share < 1:
        raise UserError(f"the held-out share is {share}, expected a number between 0 and 1.")
    content = episode_content(trajectories)
    n_contents = int(content.max()) + 1 if len(content) else 0
    n_held_out = round(share * n_contents)
    is_common = torch.bincount(content) > max(1.0, COMMON * trajectories.n_episodes)  # content
    if not 0 < n_held_out < n_contents or is_common.all():
        raise UserError(
            f"{n_contents} distinct episodes cannot be split with a held-out share of {share}: collect more steps."
        )
    order = torch.randperm(n_contents, generator=generator)
    is_held_out = torch.zeros(n_contents, dtype=torch.bool)
    is_held_out[order[~is_common[order]][:n_held_out]] = True
    return _sides(trajectories, is_held_out[content][trajectories.episode], n_contents)


def _sides(trajectories: Trajectories, is_held_out: Bool[Tensor, " step"], n_contents: int) -> Split:
    train = (~is_held_out).nonzero().squeeze(-1)
    is_unseen = torch.ones(len(trajectories.frames), dtype=torch.bool)
    is_unseen[trajectories.frame_id[train].long()] = False
    return Split(
        train=train,
        held_out=is_held_out.nonzero().squeeze(-1),
        held_out_frames=is_unseen.nonzero().squeeze(-1),
        n_contents=n_contents,
    )
