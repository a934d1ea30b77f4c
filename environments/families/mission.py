"""States into what their missions name, in numbers: what an agent must be told, since no frame shows it."""

import torch
from jaxtyping import Int64
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX
from torch import Tensor

from environments.grid.cells import cell_of_code
from environments.grid.rules import DoneBeside, Fetch, PickUpTarget, PutNear, Rule
from environments.grid.state import State
from environments.grid.world_spec import WorldSpec

MISSION_SIZES: tuple[int, ...] = 2 * (len(OBJECT_TO_IDX), len(COLOR_TO_IDX))
"""How many values each number of a mission has."""

_NAMED: dict[type[Rule], tuple[int, ...]] = {DoneBeside: (1,), Fetch: (0,), PickUpTarget: (0,), PutNear: (2, 0)}
"""Which of a rule's parameters are codes of what the mission names: the target, then what must be put beside it."""


def mission_of(state: State, spec: WorldSpec) -> Int64[Tensor, "world number"]:
    """Return kind and colour of the target, then kind and colour of what must be put near it, in MiniGrid's numbers.

    They are 0, as for a cell that is not seen, where the rule goes by nothing that a mission names: what to do is the
    same in every layout of the memory task, and where a goal is to be reached. LockedRoom's hints on where its key lies
    are left out.
    """
    named = _NAMED.get(type(spec.rule), ())
    cells = cell_of_code(state.position.device)[state.parameters[:, named]].long()  # world named
    numbers = torch.stack([cells & 0xFF, (cells >> 8) & 0xFF], dim=2).flatten(1)
    mission = numbers.new_zeros(len(state), len(MISSION_SIZES))
    mission[:, : numbers.shape[1]] = numbers
    return mission
