"""The table of interactions, against MiniGrid taking the same action in front of the same thing."""

from collections.abc import Callable

import pytest
import torch
from minigrid.core.actions import Actions
from minigrid.minigrid_env import MiniGridEnv

from environments.grid.cells import EMPTY, THING_OF_CODE, Thing, code_of, thing_of
from environments.grid.interaction import (
    EVENT_SHIFT,
    GOAL,
    HAND_SHIFT,
    LAVA,
    MOVES_SHIFT,
    drop,
    interaction_table,
    move_forward,
    pick_up,
    toggle,
)
from environments.registration import make
from environments.twin.layouts import state_of

CPU = torch.device("cpu")
KEY, BALL = Thing("key", "yellow"), Thing("ball", "blue")
HANDS = (EMPTY, KEY, Thing("key", "red"), BALL, Thing("box", "green", contents=KEY))


@pytest.fixture(scope="module")
def env() -> MiniGridEnv:
    return make("MiniGrid-Empty-5x5-v0")


@pytest.mark.parametrize("action", [Actions.forward, Actions.pickup, Actions.drop, Actions.toggle, Actions.done])
@pytest.mark.parametrize("hand", HANDS, ids=lambda hand: f"{hand.kind}-{hand.colour}")
def test_the_table_says_what_minigrid_does(
    action: Actions, hand: Thing, env: MiniGridEnv, put: Callable, world_object: Callable
) -> None:
    table = interaction_table(CPU, pickup_toggles=False)
    for code, thing in THING_OF_CODE.items():
        env.reset(seed=0)
        put(env, state_of(env))
        env.grid.set(2, 1, world_object(thing))
        vars(env).update(carrying=world_object(hand))
        _, _, terminated, _, _ = env.step(action)
        effect = int(table[(int(action) * 256 + code) * 256 + code_of(hand)])
        assert THING_OF_CODE[effect & 255] == thing_of(env.grid.get(2, 1))
        assert THING_OF_CODE[(effect >> HAND_SHIFT) & 255] == thing_of(env.carrying)
        assert bool((effect >> MOVES_SHIFT) & 1) == (tuple(env.agent_pos) == (2, 1))
        assert bool(effect >> EVENT_SHIFT) == terminated


def test_a_closed_door_opens_and_closes_again() -> None:
    closed = Thing("door", "red", "closed")
    opened = toggle(closed, EMPTY).front
    assert opened.state == "open"
    assert toggle(opened, EMPTY).front == closed


def test_a_locked_door_yields_to_the_key_of_its_colour_only() -> None:
    locked = Thing("door", "yellow", "locked")
    assert toggle(locked, KEY).front == Thing("door", "yellow", "open")
    assert toggle(locked, Thing("key", "red")).front == locked
    assert toggle(locked, Thing("ball", "yellow")).front == locked


def test_a_box_gives_way_to_what_is_in_it() -> None:
    assert toggle(Thing("box", "red", contents=KEY), EMPTY).front == KEY
    assert toggle(Thing("box", "red"), EMPTY).front == EMPTY


def test_dropping_undoes_picking_up() -> None:
    picked = pick_up(BALL, EMPTY)
    assert (picked.front, picked.hand) == (EMPTY, BALL)
    dropped = drop(picked.front, picked.hand)
    assert (dropped.front, dropped.hand) == (BALL, EMPTY)


def test_full_hands_take_nothing_more() -> None:
    assert pick_up(BALL, KEY).hand == KEY


def test_goal_and_lava_make_themselves_felt() -> None:
    assert move_forward(Thing("goal", "green"), EMPTY).event == GOAL
    assert move_forward(Thing("lava"), EMPTY).event == LAVA


def test_pickup_toggles_where_the_rule_says_so() -> None:
    plain, static = (interaction_table(CPU, pickup_toggles=toggles) for toggles in (False, True))
    size = 256 * 256
    assert torch.equal(static[3 * size : 4 * size], plain[5 * size : 6 * size])
    assert torch.equal(static[4 * size :], plain[4 * size :])
