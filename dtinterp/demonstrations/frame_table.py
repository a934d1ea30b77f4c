"""A table of distinct frames, and where other frames stand in it."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from dtinterp.foundation.errors import UserError
from environments.graph.state_graph import StateGraph

ABSENT = -1
"""The row of a frame that is not in a table."""


@dataclass(frozen=True)
class FrameTable:
    """Distinct frames of a world. Trajectories, state graphs and studies number them differently: they meet here."""

    frames: UInt8[Tensor, "frame view view 3"]
    source: str = "this table"
    """what shows them, such as a world"""

    @classmethod
    def of_graph(cls, graph: StateGraph) -> "FrameTable":
        """Return the frames of a state graph, in its order: all that its world ever shows."""
        return cls(torch.tensor(graph.frames), graph.env_id)

    def find(self, frames: UInt8[Tensor, "other view view 3"]) -> Int64[Tensor, " other"]:
        """Return the row of each frame, by its content; `ABSENT` where it is not in this table."""
        return torch.tensor([self._row.get(frame.tobytes(), ABSENT) for frame in frames.numpy()], dtype=torch.int64)

    def rows_of(self, frames: UInt8[Tensor, "other view view 3"]) -> Int64[Tensor, " other"]:
        """Return the row of each frame. Raises `UserError` where one is not in this table, naming the first."""
        rows = self.find(frames)
        if (rows == ABSENT).any():
            first = int((rows == ABSENT).nonzero()[0])
            raise UserError(f"frame {first} is never shown by {self.source}: give frames of that world.")
        return rows

    @cached_property
    def _row(self) -> dict[bytes, int]:
        return {frame.tobytes(): row for row, frame in enumerate(self.frames.numpy())}
