"""Worlds of picking one object up: behind a locked or a blocked door, down a corridor, in a maze."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Int32, Int64
from minigrid.core.actions import Actions
from minigrid.envs.blockedunlockpickup import BlockedUnlockPickupEnv
from minigrid.envs.keycorridor import KeyCorridorEnv
from minigrid.envs.obstructedmaze import ObstructedMazeEnv
from minigrid.envs.unlockpickup import UnlockPickupEnv
from torch import Tensor

from environments.families.registry import register
from environments.grid.cells import N_CODES, THING_OF_CODE, code_of, thing_of
from environments.grid.facts import SeenCells, Target, target_like
from environments.grid.flaws import Flaw, within
from environments.grid.state import State
from environments.grid.transition import Ending, Transition
from environments.grid.world_spec import Parameter, Rule, WorldSpec
from environments.registration import WorldError


@dataclass(frozen=True)
class PickUpTarget(Rule):
    """Picking the target up pays. Parameters: its code, which nothing else in the layout has."""

    parameters = (Parameter.THING,)
    mission = (0,)
    follows_recolouring = True

    def ending(self, transition: Transition) -> Ending:
        """Pay for a pickup that leaves the target in hand."""
        is_pickup = transition.action == Actions.pickup
        succeeds = is_pickup & (transition.hand == transition.parameters[:, 0])
        return Ending(succeeds, succeeds)

    def target(self, state: State, seen: SeenCells) -> Target:
        """Return the one thing that is like the target."""
        return target_like(state.parameters[:, 0], state, seen)

    def flaws(self, state: State, codes: Int32[Tensor, "world cell"], spec: WorldSpec) -> Iterator[Flaw]:  # noqa: ARG002
        """MiniGrid tells the target by identity and the twin by looks, so there may be one at most, in boxes too."""
        target = state.parameters[:, 0]
        held = torch.cat([codes, within(state.hand, N_CODES)[:, None]], dim=1)  # world held
        inside = _contents(codes.device)[held]
        n_alike = ((held == target[:, None]) | (inside == target[:, None])).sum(1)
        yield Flaw(
            n_alike > 1,
            lambda world: (
                f"{int(n_alike[world])} objects look like the target, {THING_OF_CODE[int(target[world])]}; "
                "the twin tells objects by looks."
            ),
        )


@lru_cache
def _contents(device: torch.device) -> Int64[Tensor, " code"]:
    """Return for each code that of what is in the box, -1 where it is no box or an empty one."""
    inside = [-1] * N_CODES
    for code, thing in THING_OF_CODE.items():
        if thing.contents:
            inside[code] = code_of(thing.contents)
    return torch.tensor(inside).to(device)


def _target(env: UnlockPickupEnv | BlockedUnlockPickupEnv | KeyCorridorEnv | ObstructedMazeEnv) -> tuple[int]:
    """Return the target's code. MiniGrid compares objects by identity, so nothing else may look like it."""
    code = code_of(thing_of(env.obj))
    n_alike = sum(thing is not None and code_of(thing_of(thing)) == code for thing in env.grid.grid)
    if n_alike > 1:
        raise WorldError(
            f"{n_alike} objects look like the target of {type(env).__name__}; the twin tells objects by looks."
        )
    return (code,)


register(PickUpTarget(), _target, UnlockPickupEnv, BlockedUnlockPickupEnv, KeyCorridorEnv, ObstructedMazeEnv)
