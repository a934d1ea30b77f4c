"""Windows of recorded episodes, at steps that are chosen."""

from dataclasses import replace

import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.dataset.windows import window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.subject.subject import Subject


def recorded(
    subject: Subject, trajectories: Trajectories, step: Int64[Tensor, " batch"], asked: float | None
) -> ChosenWindows:
    """Return the windows that end at these steps, over the trajectories' own frames.

    With `asked`, the return-to-go is that at each episode's start, less the rewards since; otherwise what the episode
    returned.
    """
    windows = window(trajectories, step, subject.model.cfg.n_slots)
    if asked is not None:
        shift = asked - trajectories.episode_return[trajectories.episode[step]]  # batch
        rtg = torch.where(windows.mask, windows.rtg + shift[:, None], 0.0)
        windows = replace(windows, rtg=rtg)
    episode, time = trajectories.episode[step].tolist(), trajectories.time[step].tolist()
    return ChosenWindows(
        windows=windows,
        frames=trajectories.frames,
        names=tuple(f"episode {number} time {at}" for number, at in zip(episode, time, strict=True)),
        facts=trajectories.facts[step].long(),
        fact_names=trajectories.fact_names,
        n_items=subject.model.cfg.n_items,
    )
