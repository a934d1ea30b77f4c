"""Curves of a log in TensorBoard or Weights & Biases."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from dtinterp.foundation.errors import UserError

Track: TypeAlias = Literal["none", "tensorboard", "wandb"]


@runtime_checkable
class Tracker(Protocol):
    """Something that draws the numbers of a row at its step."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        ...


class Untracked:
    """Draws nothing."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Forget the row."""


class TensorBoard:
    """Curves in a folder that `tensorboard --logdir` shows."""

    def __init__(self, folder: Path) -> None:
        """Make the folder."""
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter(str(folder))

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        for name, number in numbers.items():
            self._writer.add_scalar(name, number, step)
        self._writer.flush()


class WeightsAndBiases:
    """A run of Weights & Biases, kept on this machine unless WANDB_MODE says otherwise."""

    def __init__(self, folder: Path) -> None:
        """Begin the run, named like the folder."""
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        mode = "online" if os.environ.get("WANDB_MODE") == "online" else "offline"
        self._run = wandb.init(project="dtinterp", name=folder.name, dir=str(folder), mode=mode)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        self._run.log(dict(numbers), step=step)


def open_tracker(track: Track, folder: Path) -> Tracker:
    """Return what draws the curves into `folder`. Raises `UserError` where its package is not installed."""
    if track == "none":
        return Untracked()
    if find_spec(track) is None:
        raise UserError(f"track is {track}, which is not installed: pip install 'dtinterp[track]', or leave it out.")
    return TensorBoard(folder) if track == "tensorboard" else WeightsAndBiases(folder)
