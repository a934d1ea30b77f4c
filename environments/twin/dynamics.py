"""One step of many worlds at once, exactly as MiniGrid's `step` takes it."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float32, Int64, Shaped
from minigrid.core.actions import Actions
from minigrid.core.constants import DIR_TO_VEC
from torch import Tensor

from environments.grid.cells import N_CODES, cell_of_code, codes_of
from environments.grid.interaction import EVENT_SHIFT, GOAL, HAND_SHIFT, MOVES_SHIFT, NO_EVENT, interaction_table
from environments.grid.state import State
from environments.grid.transition import Transition
from environments.grid.world_spec import WorldSpec


@dataclass(frozen=True)
class StepResult:
    """What one step brought. An episode can be truncated in the very step in which it terminates, as in MiniGrid."""

    reward: Float32[Tensor, " world"]
    terminated: Bool[Tensor, " world"]
    truncated: Bool[Tensor, " world"]
    success: Bool[Tensor, " world"]

    @property
    def ended(self) -> Bool[Tensor, " world"]:
        """Whether the episode is over, for whatever reason."""
        return self.terminated | self.truncated


def step(state: State, action: Shaped[Tensor, "..."], spec: WorldSpec) -> tuple[State, StepResult]:
    """Take one action in every world. The state is used up: its grid is written in place and belongs to the next one.

    Raises ValueError as `require_actions` does.
    """
    action = require_actions(action, len(state))
    tables = _tables(spec, action.device)
    front = state.position + tables.stride.index_select(0, state.direction)
    front_code = codes_of(state.grid.gather(1, front[:, None])[:, 0])
    entry = (action * N_CODES + front_code) * N_CODES + state.hand
    effect = tables.effect.index_select(0, entry)
    new_front = tables.cell.index_select(0, effect & (N_CODES - 1))
    state.grid.scatter_(1, front[:, None], new_front[:, None])
    moves = (effect >> MOVES_SHIFT) & 1
    after = State(
        grid=state.grid,
        position=state.position + (front - state.position) * moves,
        direction=tables.turned.index_select(0, state.direction * len(Actions) + action),
        hand=(effect >> HAND_SHIFT) & (N_CODES - 1),
        time=state.time + 1,
        parameters=state.parameters,
    )
    transition = Transition(
        action=action,
        parameters=state.parameters,
        event=effect >> EVENT_SHIFT,
        position=after.position,
        front=front,
        front_code_before=front_code,
        hand_before=state.hand,
        hand=after.hand,
        grid=after.grid,
        height=spec.height,
    )
    return after, _result(transition, after.time, spec)


def require_actions(
    action: Shaped[Tensor, "..."], n_worlds: int, n_actions: int = len(Actions)
) -> Int64[Tensor, " world"]:
    """Return the actions, whatever their integer type, as the 64-bit numbers that tables are looked up with.

    Raises ValueError unless they are a row of integers, one for each of `n_worlds`, and each is one of the
    world's, 0 to n_actions - 1.
    """
    if action.is_floating_point() or action.is_complex() or action.dtype == torch.bool:
        raise ValueError(f"The actions are {action.dtype}; actions are integers, 0 to {n_actions - 1}.")
    if action.ndim != 1:
        raise ValueError(f"The actions have shape {tuple(action.shape)}; give a row of them, one for each world.")
    if len(action) != n_worlds:
        raise ValueError(f"There are {len(action)} actions for {n_worlds} worlds; give each world one.")
    action = action.long()
    if len(action):
        smallest, largest = (int(value) for value in action.aminmax())
        if smallest < 0 or largest >= n_actions:
            raise ValueError(f"An action is {smallest if smallest < 0 else largest}; actions are 0 to {n_actions - 1}.")
    return action


def _result(transition: Transition, time: Int64[Tensor, " world"], spec: WorldSpec) -> StepResult:
    """Goals and lava count in every world, and the rule has the last word."""
    ruled = spec.rule.ending(transition)
    success = ruled.success | ((transition.event == GOAL) & ~ruled.terminated)
    return StepResult(
        reward=reward_after(time, spec.max_steps) * success,
        terminated=ruled.terminated | (transition.event != NO_EVENT),
        truncated=time >= spec.max_steps,
        success=success,
    )


def reward_after(time: Int64[Tensor, "*time"], max_steps: int) -> Float32[Tensor, "*time"]:
    """Return what success pays after so many steps, in double precision as MiniGrid computes it, then rounded."""
    return (1 - 0.9 * (time.double() / max_steps)).float()


@dataclass(frozen=True)
class _Tables:
    effect: Tensor
    """Int32[" entry"], see `interaction_table`."""
    cell: Tensor
    """Int32[" code"], see `cell_of_code`."""
    stride: Int64[Tensor, " direction"]
    """From a cell to the one in front of it."""
    turned: Int64[Tensor, " entry"]
    """The direction after an action, at index 7 direction + action."""


@lru_cache
def _tables(spec: WorldSpec, device: torch.device) -> _Tables:
    turned = torch.arange(4)[:, None].repeat(1, len(Actions))
    turned[:, Actions.left] = torch.tensor([3, 0, 1, 2])
    turned[:, Actions.right] = torch.tensor([1, 2, 3, 0])
    return _Tables(
        effect=interaction_table(device, pickup_toggles=spec.rule.pickup_toggles),
        cell=cell_of_code(device),
        stride=torch.tensor([int(x) * spec.height + int(y) for x, y in DIR_TO_VEC], device=device),
        turned=turned.flatten().to(device),
    )
