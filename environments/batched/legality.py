"""States into a verdict on whether MiniGrid could be in them: where it could not, a sentence says why."""

import torch
from jaxtyping import Bool
from torch import Tensor

from environments.batched.cells import (
    EMPTY,
    THING_OF_CODE,
    WALL,
    Thing,
    cell_of_code,
    code_of,
    codes_of,
)
from environments.batched.rules import (
    DoneBeside,
    Fetch,
    MatchMemory,
    OpenDoor,
    OpenRedThenBlue,
    PickUpTarget,
    PutNear,
    Rule,
)
from environments.batched.setting import Setting
from environments.batched.state import State

_CELL_PARAMETERS: dict[type[Rule], tuple[int, ...]] = {
    MatchMemory: (0, 1),
    DoneBeside: (0,),
    PutNear: (1,),
    OpenRedThenBlue: (0, 1),
    OpenDoor: (0,),
}
"""Which of a rule's parameters are cells."""

_CODE_PARAMETERS: dict[type[Rule], tuple[int, ...]] = {Fetch: (0,), PutNear: (0,), PickUpTarget: (0,)}
"""Which of them are codes of things that can be carried."""


def require_legal(state: State, setting: Setting) -> None:
    """Raise ValueError unless MiniGrid could be in each of these states.

    The grid has the setting's size and holds known things, walled in so that the agent cannot leave it; the agent
    stands on something that can be entered, faces one of four directions and carries nothing or something that can be
    carried; the time is within the limit; and the rule's parameters are cells of the grid, or things, where the rule
    wants them.
    """
    for world in range(len(state)):
        one = state[torch.tensor([world])]
        _require_grid(one, setting)
        _require_agent(one, setting)
        _require_parameters(one, setting)


def _require_grid(state: State, setting: Setting) -> None:
    if state.grid.shape[1] != setting.n_cells + 1:
        raise ValueError(
            f"The state has {state.grid.shape[1] - 1} cells; {setting.env_id} has {setting.width} by {setting.height}."
        )
    codes = codes_of(state.grid[0])
    for cell, code in enumerate(codes.tolist()):
        if code not in THING_OF_CODE or int(state.grid[0, cell]) != int(cell_of_code(state.grid.device)[code]):
            held = int(state.grid[0, cell])
            raise ValueError(f"Cell {setting.place(cell)} holds {held}, which is nothing that MiniGrid has.")
    if int(codes[-1]) != code_of(WALL):
        raise ValueError("The last cell of a grid is the wall around it; the state has something else there.")


def _require_agent(state: State, setting: Setting) -> None:
    position, direction, hand, time = (
        int(value) for value in (state.position, state.direction, state.hand, state.time)
    )
    if not 0 <= position < setting.n_cells:
        raise ValueError(f"The agent is in cell {position}; the cells are 0 to {setting.n_cells - 1}.")
    place, below = setting.place(position), THING_OF_CODE[int(codes_of(state.grid[0, position]))]
    if not below.can_be_entered:
        raise ValueError(f"The agent stands at {place} on a {below.kind}, which cannot be entered.")
    if not 0 <= direction <= 3:
        raise ValueError(f"The agent's direction is {direction}; directions are 0 to 3.")
    if hand not in THING_OF_CODE or not (hand == code_of(EMPTY) or THING_OF_CODE[hand].can_be_carried):
        raise ValueError(f"The agent carries {THING_OF_CODE.get(hand, hand)}, which cannot be carried.")
    if not 0 <= time <= setting.max_steps:
        raise ValueError(f"The time is {time}; it runs from 0 to {setting.max_steps}.")
    if _can_leave(state, setting):
        raise ValueError(f"The agent at {place} could walk out of the grid; wall it in.")


def _require_parameters(state: State, setting: Setting) -> None:
    rule = type(setting.rule)
    numbers = state.parameters[0].tolist()
    for index in _CELL_PARAMETERS.get(rule, ()):
        if not 0 <= numbers[index] < setting.n_cells:
            raise ValueError(
                f"Parameter {index} of {rule.__name__} is {numbers[index]}; it is a cell, 0 to {setting.n_cells - 1}."
            )
    for index in _CODE_PARAMETERS.get(rule, ()):
        if numbers[index] not in THING_OF_CODE or not THING_OF_CODE[numbers[index]].can_be_carried:
            raise ValueError(
                f"Parameter {index} of {rule.__name__} is {numbers[index]}; it is the code of a thing to carry."
            )


def _can_leave(state: State, setting: Setting) -> bool:
    """Return whether everything but walls, opened at will, leaves a way from the agent to the border.

    In worlds of DoneBeside a toggle ends the episode, so their doors stay as they are.
    """
    blocks = [_blocks_for_good(THING_OF_CODE[code], setting.rule) for code in codes_of(state.grid[0, :-1]).tolist()]
    is_open: Bool[Tensor, "width height"] = ~torch.tensor(blocks).reshape(setting.width, setting.height)
    reached = torch.zeros(setting.width + 2, setting.height + 2, dtype=torch.bool)
    x, y = setting.place(int(state.position))
    reached[x + 1, y + 1] = True
    while True:
        inner = reached[1:-1, 1:-1]
        near = reached[:-2, 1:-1] | reached[2:, 1:-1] | reached[1:-1, :-2] | reached[1:-1, 2:]
        grown = inner | (near & is_open)
        if torch.equal(grown, inner):
            break
        reached[1:-1, 1:-1] = grown
    return bool(inner[[0, -1]].any() or inner[:, [0, -1]].any())


def _blocks_for_good(thing: Thing, rule: Rule) -> bool:
    """Return whether the agent can never pass where this thing lies."""
    return thing.kind == "wall" or (isinstance(rule, DoneBeside) and thing.kind == "door" and thing.is_opaque)
