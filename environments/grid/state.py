"""The state of many episodes of one world at once."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Int32, Int64
from torch import Tensor


@dataclass(frozen=True, eq=False)
class State:
    """All that decides what comes next in each world. A step writes into `grid`; the other tensors are replaced."""

    grid: Int32[Tensor, "world cell"]
    """Cells as in `environments.grid.cells`, column by column; the last one is the wall around the grid."""
    position: Int64[Tensor, " world"]
    """The agent's cell."""
    direction: Int64[Tensor, " world"]
    """0 east, 1 south, 2 west, 3 north."""
    hand: Int32[Tensor, " world"]
    """The code of what the agent carries; 0 is nothing."""
    time: Int64[Tensor, " world"]
    """Steps taken in the episode."""
    parameters: Int64[Tensor, "world parameter"]
    """What the world's rule goes by, N_PARAMETERS numbers."""

    def __len__(self) -> int:
        """Return the number of worlds."""
        return self.position.shape[0]

    def __getitem__(self, world: Int64[Tensor, " chosen"]) -> "State":
        """Return copies of some of the worlds, in the order asked for; worlds may repeat."""
        return State(**{field.name: getattr(self, field.name).index_select(0, world) for field in fields(self)})

    def clone(self) -> "State":
        """Return a copy that shares nothing with this state."""
        return State(**{field.name: getattr(self, field.name).clone() for field in fields(self)})

    def put(self, world: Int64[Tensor, " chosen"], state: "State") -> None:
        """Overwrite some of the worlds, in place."""
        for field in fields(self):
            getattr(self, field.name).index_copy_(0, world, getattr(state, field.name))

    def to(self, device: str | torch.device) -> "State":
        """Return the state on another device."""
        return State(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def concatenated(states: list[State]) -> State:
    """Return the worlds of all states, one after the other. Their grids must have the same size."""
    return State(**{field.name: torch.cat([getattr(state, field.name) for state in states]) for field in fields(State)})
