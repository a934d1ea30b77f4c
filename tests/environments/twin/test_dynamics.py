"""The twin's steps against MiniGrid's own, for every id that it supports: same layout, same actions, the same of
everything.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import gymnasium
import minigrid
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environments.families.pick_up import PickUpTarget
from environments.families.red_blue_doors import OpenRedThenBlue
from environments.families.registry import MINIGRID_VERSION
from environments.families.unlock import OpenDoor
from environments.grid.cells import EMPTY, THING_OF_CODE, Thing, cell_of_code, code_of, codes_of
from environments.grid.state import State
from environments.grid.world_spec import WorldSpec
from environments.registration import twin_ids
from environments.twin.dynamics import require_actions, reward_after, step
from environments.twin.layouts import draw_layouts, state_of

MEDDLING = (0.14, 0.1, 0.3, 0.16, 0.14, 0.14, 0.02)
CPU = torch.device("cpu")

WALKS = ((0, 200, {}), (1, 200, {}), (2, 60, {"max_steps": 9}))
"""First seed, number of steps and options of each walk in an id; a world whose episode ends goes on with another seed.
"""

LONG_WALKS = tuple((seed, 600, {"max_steps": 400}) for seed in (3, 4, 5))
"""Walks in families of one or two ids besides, with the patience that some of their tasks want."""

HAPPENINGS = ("the grid changed", "something was carried", "success", "failure", "cut off")

_WALKING_ONLY = {"success", "cut off"}
_LAVA = _WALKING_ONLY | {"failure"}
_DOORS = _WALKING_ONLY | {"the grid changed"}
_KEYS = _DOORS | {"something was carried"}
_EVERYTHING = set(HAPPENINGS)

EXPECTED = {
    "blockedunlockpickup": _KEYS,
    "crossing": _LAVA,
    "distshift": _LAVA,
    "doorkey": _KEYS,
    "empty": _WALKING_ONLY,
    "fetch": _EVERYTHING,
    "fourrooms": _WALKING_ONLY,
    "gotodoor": _DOORS | {"failure"},
    "gotoobject": _EVERYTHING,
    "keycorridor": _KEYS,
    "lavagap": _LAVA,
    "lockedroom": _KEYS,
    "memory": _EVERYTHING,
    "multiroom": _DOORS,
    "obstructedmaze": _KEYS,
    "playground": _KEYS - {"success"},
    "putnear": _EVERYTHING,
    "redbluedoors": _DOORS | {"failure"},
    "unlock": _KEYS,
    "unlockpickup": _KEYS,
}
"""All that can happen in each family. A failure is an end without reward; a world of keys and doors has none."""


def test_this_is_the_minigrid_that_the_rules_were_read_from() -> None:
    assert minigrid.__version__ == MINIGRID_VERSION


@pytest.mark.filterwarnings("ignore:.*out of date")
def test_walks_are_minigrids_own_walks_and_all_that_can_happen_does(
    family, watch: Callable, agrees: Callable, wanderer: Callable, facts_in_minigrid: Callable
) -> None:
    happened = set()
    for env_id in family.env_ids:
        for seed, n_steps, options in WALKS + (LONG_WALKS if len(family.env_ids) <= 2 else ()):
            watched = watch(env_id, facts_in_minigrid, **options)
            _walk(watched, wanderer(seed), seed, n_steps)
            agrees(watched)
            happened |= {name for move in watched.moves for name in _happenings(move)}
    assert happened == EXPECTED[family.name]


def _walk(watched, wanderer, seed: int, n_steps: int) -> None:
    """Let a wanderer walk, from one episode into the next."""
    watched.reset(seed)
    for _ in range(n_steps):
        watched.step(wanderer.choose(watched.env))
        if watched.has_ended:
            seed += 100
            watched.reset(seed)
            wanderer.forget()


def _happenings(move) -> set[str]:
    reward, terminated, truncated = move.told
    facts = (move.before.codes != move.after.codes, move.after.hand != 0, reward > 0, terminated and not reward)
    return {name for name, is_so in zip(HAPPENINGS, (*facts, truncated), strict=True) if is_so}


@pytest.mark.parametrize("env_id", twin_ids()[::9])
@pytest.mark.parametrize("agent_view_size", [3, 5, 9])
def test_walks_are_the_same_with_a_view_of_another_size(
    env_id: str,
    agent_view_size: int,
    watch: Callable,
    agrees: Callable,
    wanderer: Callable,
    facts_in_minigrid: Callable,
) -> None:
    watched = watch(env_id, facts_in_minigrid, agent_view_size=agent_view_size)
    _walk(watched, wanderer(0), 0, 40)
    agrees(watched)


# ------------------------------------------------------------------------------------------------ drawn layouts


@dataclass(frozen=True)
class Alteration:
    """A thing put somewhere near the agent, seen from the agent: so many cells ahead and to its right."""

    ahead: int
    rightward: int
    code: int


@dataclass(frozen=True)
class Beginning:
    """A layout by seed, with things put around the agent, another direction, and something in its hands."""

    number: int
    seed: int
    direction: int
    hand: int
    alterations: list[Alteration]


codes = st.sampled_from(sorted(THING_OF_CODE))
alterations = st.builds(Alteration, st.integers(-1, 3), st.integers(-2, 2), codes)
in_front = st.builds(Alteration, st.just(1), st.just(0), codes)
beginnings = st.builds(
    Beginning,
    number=st.integers(0, 99),
    seed=st.integers(0, 2**31 - 1),
    direction=st.integers(0, 3),
    hand=st.sampled_from([0, *(code for code, thing in THING_OF_CODE.items() if thing.can_be_carried)]),
    alterations=st.lists(alterations | in_front, max_size=10),
)


@given(beginning=beginnings, actions=st.lists(st.integers(0, 6), min_size=1, max_size=25))
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@pytest.mark.filterwarnings("ignore:.*out of date")
def test_any_actions_from_any_layout_lead_where_minigrid_leads(
    family, beginning: Beginning, actions: list[int], watch: Callable, agrees: Callable
) -> None:
    watched = watch(family.env_ids[beginning.number % len(family.env_ids)])
    watched.reset(beginning.seed)
    watched.put(_begun(beginning, state_of(watched.env), watched.spec))
    for action in actions:
        if not watched.has_ended:
            watched.step(action)
    agrees(watched)


def _begun(beginning: Beginning, state: State, spec: WorldSpec) -> State:
    state = replace(state, direction=torch.tensor([beginning.direction]))
    for alteration in beginning.alterations:
        _alter(state, alteration, spec)
    if not _looks_like_target(beginning.hand, state, spec):
        state.hand[0] = beginning.hand
    return state


def _alter(state: State, thing: Alteration, spec: WorldSpec) -> None:
    """Put a thing into a cell inside the outer walls; not where the agent or a rule's own door is."""
    x, y = spec.place(int(state.position))
    step_x, step_y = ((1, 0), (0, 1), (-1, 0), (0, -1))[int(state.direction)]
    x, y = x + thing.ahead * step_x - thing.rightward * step_y, y + thing.ahead * step_y + thing.rightward * step_x
    is_inside = 0 < x < spec.width - 1 and 0 < y < spec.height - 1
    if not is_inside or (x, y) == spec.place(int(state.position)):
        return
    is_door = isinstance(spec.rule, OpenDoor | OpenRedThenBlue) and spec.cell(x, y) in state.parameters[0]
    if not is_door and not _looks_like_target(thing.code, state, spec):
        state.grid[0, spec.cell(x, y)] = cell_of_code(CPU)[thing.code]


def _looks_like_target(code: int, state: State, spec: WorldSpec) -> bool:
    """Whether this is a copy of a target, or holds one; MiniGrid knows the target by identity, the twin by looks."""
    thing, target = THING_OF_CODE[code], int(state.parameters[0, 0])
    return isinstance(spec.rule, PickUpTarget) and THING_OF_CODE[target] in (thing, thing.contents)


def _meddled(state: State, rng: np.random.Generator) -> State:
    """Put something else into the cell in front of each agent and into its hands, whatever the rules would allow."""
    codes = list(THING_OF_CODE)
    carried = [code for code, thing in THING_OF_CODE.items() if thing.can_be_carried or thing == EMPTY]
    state = state.clone()
    for world in range(len(state)):
        state.grid[world, state.position[world] + 1] = cell_of_code(CPU)[int(rng.choice(codes))]
        state.hand[world] = int(rng.choice([0, *rng.choice(carried, size=3)]))
    return replace(state, direction=torch.ones_like(state.direction))  # south, where the cell is


RULES = (
    "MiniGrid-DoorKey-8x8-v0",
    "MiniGrid-MemoryS7-v0",
    "MiniGrid-MemoryS7FixedStart-v0",
    "MiniGrid-GoToObject-8x8-N2-v0",
    "MiniGrid-Fetch-8x8-N3-v0",
    "MiniGrid-PutNear-8x8-N3-v0",
    "MiniGrid-RedBlueDoors-8x8-v0",
    "MiniGrid-Unlock-v0",
    "MiniGrid-UnlockPickup-v0",
)


@pytest.mark.parametrize("env_id", RULES)
def test_every_action_does_to_anything_in_front_what_minigrid_does(
    env_id: str, watch: Callable, agrees: Callable
) -> None:
    watched = watch(env_id)
    watched.reset(0)
    rng = np.random.default_rng(RULES.index(env_id))
    start = draw_layouts(env_id, range(15)).start
    for _ in range(12):
        state = _with_clear_rules(_meddled(start, rng), watched.spec.rule)
        for world, action in enumerate(rng.integers(0, 7, size=15).tolist()):
            watched.put(state[torch.tensor([world])])
            watched.step(action)
    agrees(watched)


def _with_clear_rules(state: State, rule: object) -> State:
    """Leave out what a rule compares by identity and the twin by looks: copies of a target, doors overwritten."""
    for world in range(len(state)):
        front = int(state.position[world]) + 1
        target = int(state.parameters[world, 0])
        looks_like_target = isinstance(rule, PickUpTarget) and target in (
            int(codes_of(state.grid[world, front])),
            int(state.hand[world]),
        )
        hides_door = front in state.parameters[world].tolist()
        if looks_like_target or hides_door:
            state.grid[world, front] = cell_of_code(CPU)[code_of(Thing("box", "red"))]
            state.hand[world] = 0
    return state


def test_a_time_limit_cuts_off_in_the_same_step(watch: Callable, agrees: Callable) -> None:
    watched = watch("MiniGrid-MemoryS7-v0", max_steps=5)
    watched.reset(0)
    for _ in range(5):
        watched.step(0)
    assert [move.told[2] for move in watched.moves] == [False] * 4 + [True]
    agrees(watched)


@given(max_steps=st.integers(1, 5000), share=st.floats(0, 1))
@settings(derandomize=True)
def test_rewards_are_pythons_doubles_rounded_once(max_steps: int, share: float) -> None:
    time = round(share * max_steps)
    expected = np.float32(1 - 0.9 * (time / max_steps))
    assert reward_after(torch.tensor([time]), max_steps).item() == expected


@pytest.mark.parametrize(("actions", "named"), [([0, 7], 7), ([-1, 3], -1)])
def test_an_action_that_does_not_exist_is_refused(actions: list[int], named: int) -> None:
    with pytest.raises(ValueError, match=rf"An action is {named}; actions are 0 to 6\."):
        require_actions(torch.tensor(actions), len(actions))


def test_worlds_in_a_batch_do_not_touch_each_other() -> None:
    layouts = draw_layouts("MiniGrid-DoorKey-6x6-v0", range(5))
    together, alone = layouts.start.clone(), [layouts.start[torch.tensor([world])] for world in range(5)]
    rng = np.random.default_rng(0)
    for _ in range(60):
        action = torch.tensor(rng.choice(7, size=5, p=MEDDLING))
        together, _ = step(together, action, layouts.spec)
        alone = [step(state, action[world : world + 1], layouts.spec)[0] for world, state in enumerate(alone)]
    for world, state in enumerate(alone):
        assert torch.equal(together.grid[world], state.grid[0])
        assert int(together.position[world]) == int(state.position)


def test_every_rule_and_family_of_ids_is_among_those_compared() -> None:
    registered = {env_id for env_id in gymnasium.registry if env_id.startswith("MiniGrid-")}
    left_out = {env_id for env_id in registered - set(twin_ids()) if "Dynamic" not in env_id and "WFC" not in env_id}
    assert not left_out
    assert len(twin_ids()) == len(set(twin_ids()))
