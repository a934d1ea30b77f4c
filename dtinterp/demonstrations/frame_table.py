"""Tables of distinct frames: where other frames stand in one, and how frames and facts are numbered as they appear."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int16, Int32, Int64, UInt8
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


class FrameNumbers:
    """Numbers the frames that were seen among all that the worlds know."""

    def __init__(self) -> None:
        """No frame was seen yet."""
        self._number = torch.empty(0, dtype=torch.int32)  # by the worlds' id
        self.seen = torch.empty(0, dtype=torch.int64)
        """The worlds' ids of the frames seen, by number."""

    def of(self, frame_id: Int64[Tensor, " step"]) -> Int32[Tensor, " step"]:
        """Return the numbers of the frames that steps show; new ones get the next numbers, lower ids first."""
        shown = torch.unique(frame_id)
        n_unknown = int(shown.max()) + 1 - len(self._number) if len(shown) else 0
        if n_unknown > 0:
            self._number = torch.cat([self._number, torch.full((n_unknown,), -1, dtype=torch.int32)])
        new = shown[self._number[shown] < 0]
        self._number[new] = torch.arange(len(self.seen), len(self.seen) + len(new), dtype=torch.int32)
        self.seen = torch.cat([self.seen, new])
        return self._number[frame_id]


class FactNumbers:
    """Numbers the distinct rows of facts."""

    def __init__(self, n_facts: int) -> None:
        """No row was seen yet."""
        self._number: dict[bytes, int] = {}
        self._rows: list[Int16[Tensor, "new fact"]] = [torch.empty(0, n_facts, dtype=torch.int16)]

    @property
    def table(self) -> Int16[Tensor, "situation fact"]:
        """The distinct rows, by number."""
        return torch.cat(self._rows)

    def of(self, facts: Int16[Tensor, "step fact"]) -> Int32[Tensor, " step"]:
        """Return the numbers of rows; new ones get the next numbers, in lexicographic order."""
        distinct, which = torch.unique(facts, dim=0, return_inverse=True)
        n_known = len(self._number)
        numbers = [self._number.setdefault(row.tobytes(), len(self._number)) for row in distinct.numpy()]
        number = torch.tensor(numbers, dtype=torch.int32)
        self._rows.append(distinct[number >= n_known])
        return number[which]
