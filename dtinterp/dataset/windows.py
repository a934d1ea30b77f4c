"""Windows: the last few steps before an action, padded on the left."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.errors import UserError

N_SLOTS = 10
"""Timesteps in a window of the default task: 29 tokens, since the last action is what the model must say."""


@dataclass(frozen=True)
class Windows:
    """What a decision transformer is shown: one row a window, one column a slot; the facts of the world stay behind."""

    rtg: Float32[Tensor, "batch slot"]
    """return-to-go; 0 in pads"""
    frame_id: Int64[Tensor, "batch slot"]
    """row of the frame table; 0 in pads"""
    action: Int64[Tensor, "batch slot"]
    """`PAD_ACTION` in pads"""
    time: Int64[Tensor, "batch slot"]
    """steps since the episode began; 0 in pads"""
    mask: Bool[Tensor, "batch slot"]
    """True where the slot is real"""
    step: Int64[Tensor, "batch slot"]
    """flat step in the trajectories; -1 in pads and where a window was made by hand"""

    def __post_init__(self) -> None:
        """Refuse pads that stand to the right of a real slot."""
        if (self.mask[:, :-1] & ~self.mask[:, 1:]).any():
            raise ValueError("a window has a pad to the right of a real slot, expected left padding only")

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.mask)

    def __getitem__(self, index: slice | Int64[Tensor, " chosen"] | Bool[Tensor, " batch"]) -> "Windows":
        """Return the chosen rows."""
        return Windows(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def to(self, device: torch.device) -> "Windows":
        """Return the windows on another device."""
        return Windows(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    @property
    def n_slots(self) -> int:
        """Slots per window."""
        return self.mask.shape[1]


def window(trajectories: Trajectories, last_step: Int64[Tensor, " batch"], n_slots: int = N_SLOTS) -> Windows:
    """Return, for each flat step, the window whose last slot it fills.

    A window never leaves its episode: where the history is shorter than `n_slots`, the left is padded. Drawing steps
    uniformly therefore weighs episodes by their length. Raises ValueError for a step that is not in the trajectories.
    """
    if len(last_step) and not 0 <= int(last_step.min()) <= int(last_step.max()) < trajectories.n_steps:
        raise ValueError(
            f"steps run from {int(last_step.min())} to {int(last_step.max())}, expected 0 to {trajectories.n_steps - 1}"
        )
    step = last_step[:, None] + torch.arange(1 - n_slots, 1)  # batch slot
    mask = step >= trajectories.first_step[trajectories.episode[last_step]][:, None]
    step = step.clamp(min=0)
    return padded(
        mask,
        rtg=trajectories.return_to_go[step],
        frame_id=trajectories.frame_id[step].long(),
        action=trajectories.action[step].long(),
        time=trajectories.time[step],
        step=step,
    )


def padded(
    mask: Bool[Tensor, "batch slot"],
    *,
    rtg: Float32[Tensor, "batch slot"] | float,
    frame_id: Int64[Tensor, "batch slot"],
    action: Int64[Tensor, "batch slot"],
    time: Int64[Tensor, "batch slot"],
    step: Int64[Tensor, "batch slot"] | int = -1,
) -> Windows:
    """Return windows that hold these where `mask` says that a slot is real, and what a pad holds elsewhere."""
    return Windows(
        rtg=torch.where(mask, rtg, 0.0),
        frame_id=torch.where(mask, frame_id, 0),
        action=torch.where(mask, action, PAD_ACTION),
        time=torch.where(mask, time, 0),
        mask=mask,
        step=torch.where(mask, step, -1),
    )


def blank_windows(n_windows: int, n_slots: int) -> Windows:
    """Return windows that are all padding."""
    blank = torch.zeros(n_windows, n_slots, dtype=torch.int64)
    return padded(blank.bool(), rtg=0.0, frame_id=blank, action=blank, time=blank)


def concatenate(parts: list[Windows]) -> Windows:
    """Stack windows of equal slots."""
    if not parts:
        raise UserError("there are no windows to stack: choose at least one.")
    return Windows(
        **{field.name: torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Windows)}
    )
