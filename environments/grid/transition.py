"""What a rule looks at after an action, and how it says that the episode is over."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Int32, Int64
from torch import Tensor

from environments.grid.cells import COLOURS, N_CODES, Thing, cell_of_code, code_of, codes_of


@dataclass(frozen=True)
class Transition:
    """What a rule can look at: the action, and the worlds before and after it."""

    action: Int64[Tensor, " world"]
    parameters: Int64[Tensor, "world parameter"]
    event: Int32[Tensor, " world"]
    """What the agent stepped on."""
    position: Int64[Tensor, " world"]
    """The agent's cell, after the action."""
    front: Int64[Tensor, " world"]
    """The cell that the agent faced before the action."""
    front_code_before: Int32[Tensor, " world"]
    hand_before: Int32[Tensor, " world"]
    """Codes of what was carried before; 0 is nothing."""
    hand: Int32[Tensor, " world"]
    """Codes of what is carried now."""
    grid: Int32[Tensor, "world cell"]
    """Cells after the action."""
    height: int

    def code_at(self, cell: Int64[Tensor, " world"]) -> Int32[Tensor, " world"]:
        """Return the code of what is in these cells now."""
        return codes_of(self.grid.gather(1, cell[:, None])[:, 0])

    def distances(
        self, cell: Int64[Tensor, " world"], other: Int64[Tensor, " world"]
    ) -> tuple[Int64[Tensor, " world"], Int64[Tensor, " world"]]:
        """Return how far two cells are apart, along x and along y."""
        return (cell // self.height - other // self.height).abs(), (cell % self.height - other % self.height).abs()


@dataclass(frozen=True)
class Ending:
    """Which episodes the rule ends, and which of these succeed. An episode succeeds only where it terminates."""

    terminated: Bool[Tensor, " world"]
    success: Bool[Tensor, " world"]


def look_alike(code: Int32[Tensor, " world"], other: Int64[Tensor, " world"]) -> Bool[Tensor, " world"]:
    """Return whether two things have the same kind and colour; MiniGrid does not ask what is in a box."""
    shown = cell_of_code(code.device) & 0xFFFF
    return shown.index_select(0, code) == shown.index_select(0, other)


def is_open(code: Int32[Tensor, " world"]) -> Bool[Tensor, " world"]:
    """Return whether these are codes of open doors."""
    return _open_doors(code.device).index_select(0, code)


@lru_cache
def _open_doors(device: torch.device) -> Bool[Tensor, " code"]:
    """Return for each code whether it is that of an open door."""
    is_open = torch.zeros(N_CODES, dtype=torch.bool)
    is_open[[code_of(Thing("door", colour)) for colour in COLOURS]] = True
    return is_open.to(device)
