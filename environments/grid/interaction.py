"""What an action does to the cell in front and to the hand: MiniGrid's rules for one agent and one cell.

Every function takes what lies in front of the agent and what it carries. There are few of either, so the rules are
tabulated once, and a batch of worlds looks its actions up.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Int32
from minigrid.core.actions import Actions
from torch import Tensor

from environments.grid.cells import EMPTY, N_CODES, THING_OF_CODE, Thing, code_of

HAND_SHIFT, MOVES_SHIFT, EVENT_SHIFT = 8, 16, 17
"""Where an entry of the table holds the hand, whether the agent moves, and the event; the front is in the lowest byte.
"""

NO_EVENT, GOAL, LAVA = 0, 1, 2
"""What the agent stepped on."""


@dataclass(frozen=True)
class Effect:
    """What one action does to the cell in front, the hand and the agent's place."""

    front: Thing
    hand: Thing
    moves: bool = False
    event: int = NO_EVENT


def move_forward(front: Thing, hand: Thing) -> Effect:
    """Step onto the cell in front where it can be entered; a goal and lava make themselves felt."""
    event = {"goal": GOAL, "lava": LAVA}.get(front.kind, NO_EVENT)
    return Effect(front, hand, moves=front.can_be_entered, event=event)


def pick_up(front: Thing, hand: Thing) -> Effect:
    """Take a key, ball or box into an empty hand."""
    if front.can_be_carried and hand == EMPTY:
        return Effect(EMPTY, front)
    return Effect(front, hand)


def drop(front: Thing, hand: Thing) -> Effect:
    """Put what is carried into an empty cell."""
    if front == EMPTY:
        return Effect(hand, EMPTY)
    return Effect(front, hand)


def toggle(front: Thing, hand: Thing) -> Effect:
    """Open or close a door, unlock it with the key of its colour, or replace a box by what is in it."""
    if front.kind == "box":
        return Effect(front.contents or EMPTY, hand)
    if front.kind != "door":
        return Effect(front, hand)
    if front.state == "locked":
        fits = hand.kind == "key" and hand.colour == front.colour
        return Effect(replace(front, state="open") if fits else front, hand)
    return Effect(replace(front, state="closed" if front.state == "open" else "open"), hand)


_INTERACTIONS: dict[Actions, Callable[[Thing, Thing], Effect]] = {
    Actions.forward: move_forward,
    Actions.pickup: pick_up,
    Actions.drop: drop,
    Actions.toggle: toggle,
}
"""The actions that do something to the cell in front; turning and `done` leave it alone."""


@lru_cache
def interaction_table(device: torch.device, *, pickup_toggles: bool) -> Int32[Tensor, " entry"]:
    """Return the packed effect of (action, code in front, code in hand), at index 65536 action + 256 front + hand.

    With `pickup_toggles` the pickup action does what toggle does, which is the rule of MiniGrid's memory task.
    """
    code = torch.arange(N_CODES, dtype=torch.int32)
    unchanged = code[:, None] | code << HAND_SHIFT  # front hand
    table = unchanged.repeat(len(Actions), 1, 1)
    hands = [thing for thing in THING_OF_CODE.values() if thing.can_be_carried or thing == EMPTY]
    hand_codes = [code_of(hand) for hand in hands]
    for action, interact in _INTERACTIONS.items():
        rule = toggle if pickup_toggles and action == Actions.pickup else interact
        for front_code, front in THING_OF_CODE.items():
            table[action, front_code, hand_codes] = torch.tensor(
                [_packed(rule(front, hand)) for hand in hands], dtype=torch.int32
            )
    return table.flatten().to(device)


def _packed(effect: Effect) -> int:
    codes = code_of(effect.front) | code_of(effect.hand) << HAND_SHIFT
    return codes | effect.moves << MOVES_SHIFT | effect.event << EVENT_SHIFT
