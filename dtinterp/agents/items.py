"""Frames that worlds have shown become one-hot items, each encoded once."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from environments.vocabulary import one_hot


@runtime_checkable
class ShowsFrames(Protocol):
    """Worlds, or trajectories: a table of distinct frames that may grow at its end."""

    @property
    def frames(self) -> UInt8[Tensor, "frame view view 3"]:
        """The distinct frames known so far, which frame ids point into."""
        ...


class FrameItems:
    """The one-hot items of all frames known so far, so that a policy can act in worlds whose table still grows."""

    def __init__(self, source: ShowsFrames) -> None:
        """Encode what is known already."""
        self._source = source
        self._table = one_hot(source.frames)

    @property
    def table(self) -> Float32[Tensor, "frame item"]:
        """One row per frame; read it after the worlds were stepped, and every id that they returned lies in it."""
        n_known, frames = len(self._table), self._source.frames
        if len(frames) > n_known:
            self._table = torch.cat([self._table, one_hot(frames[n_known:])])
        return self._table
