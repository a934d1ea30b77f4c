"""The twin's steps against MiniGrid's own, for every id that it supports: same layout, same actions, the same of
everything.
"""

from collections.abc import Callable
from dataclasses import replace

import gymnasium
import minigrid
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environments.batched.cells import EMPTY, THING_OF_CODE, Thing, cell_of_code, code_of, codes_of
from environments.batched.dynamics import require_actions, reward_after, step
from environments.batched.families import MINIGRID_VERSION, TWIN_IDS
from environments.batched.layouts import draw_layouts
from environments.batched.rules import PickUpTarget
from environments.batched.state import State
from environments.graph.state_graph import layout_graph

BUMPING = (0.1, 0.1, 0.8, 0, 0, 0, 0)
MEDDLING = (0.14, 0.1, 0.3, 0.16, 0.14, 0.14, 0.02)
TOGGLING = (0.15, 0.1, 0.4, 0.05, 0.05, 0.25, 0)
AIMLESS = (1 / 7,) * 7

ENUMERABLE = (
    "MiniGrid-MemoryS7FixedStart-v0",
    "MiniGrid-MemoryS9-v0",
    "MiniGrid-Empty-5x5-v0",
    "MiniGrid-DoorKey-5x5-v0",
    "MiniGrid-MultiRoom-N2-S4-v0",
    "MiniGrid-KeyCorridorS3R1-v0",
    "MiniGrid-LavaGapS6-v0",
    "MiniGrid-LavaCrossingS9N2-v0",
    "MiniGrid-DistShift1-v0",
    "MiniGrid-FourRooms-v0",
    "MiniGrid-GoToDoor-6x6-v0",
    "MiniGrid-RedBlueDoors-6x6-v0",
    "MiniGrid-Unlock-v0",
    "MiniGrid-Fetch-5x5-N2-v0",
)
"""Ids with few enough states to know their optimal actions, one or more of most families."""


def test_this_is_the_minigrid_that_the_rules_were_read_from() -> None:
    assert minigrid.__version__ == MINIGRID_VERSION


@pytest.mark.parametrize("env_id", TWIN_IDS)
@pytest.mark.filterwarnings("ignore:.*out of date")
def test_walks_are_minigrids_own_walks(env_id: str, beside: Callable) -> None:
    worlds = beside(env_id, 2)
    worlds.reset(range(2))
    rng = np.random.default_rng(TWIN_IDS.index(env_id))
    for time in range(28):
        habit = (BUMPING, MEDDLING, TOGGLING, AIMLESS)[(time // 7) % 4]
        worlds.step(rng.choice(7, size=2, p=habit).tolist())


@pytest.mark.parametrize("env_id", TWIN_IDS[::9])
@pytest.mark.parametrize("agent_view_size", [3, 5, 9])
def test_walks_are_the_same_with_a_view_of_another_size(env_id: str, agent_view_size: int, beside: Callable) -> None:
    worlds = beside(env_id, 2, agent_view_size=agent_view_size)
    worlds.reset(range(2))
    rng = np.random.default_rng(agent_view_size)
    for _ in range(12):
        worlds.step(rng.choice(7, size=2, p=MEDDLING).tolist())


@given(
    env_id=st.sampled_from(TWIN_IDS),
    seed=st.integers(0, 2**31 - 1),
    actions=st.lists(st.integers(0, 6), min_size=1, max_size=25),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@pytest.mark.filterwarnings("ignore:.*out of date")
def test_any_actions_from_any_layout_lead_where_minigrid_leads(
    env_id: str, seed: int, actions: list[int], beside: Callable
) -> None:
    worlds = beside(env_id, 1)
    worlds.reset([seed])
    for action in actions:
        worlds.step([action])


def _meddled(state: State, rng: np.random.Generator) -> State:
    """Put something else into the cell in front of each agent and into its hands, whatever the rules would allow."""
    codes = list(THING_OF_CODE)
    carried = [code for code, thing in THING_OF_CODE.items() if thing.can_be_carried or thing == EMPTY]
    state = state.clone()
    for world in range(len(state)):
        state.grid[world, state.position[world] + 1] = cell_of_code(torch.device("cpu"))[int(rng.choice(codes))]
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
def test_every_action_does_to_anything_in_front_what_minigrid_does(env_id: str, beside: Callable) -> None:
    worlds = beside(env_id, 15)
    rng = np.random.default_rng(RULES.index(env_id))
    worlds.reset(range(15))
    start = worlds.state.clone()
    for _ in range(12):
        state = _with_clear_rules(_meddled(start, rng), worlds.setting.rule)
        worlds.put(state)
        worlds.step(rng.integers(0, 7, size=15).tolist())


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
            state.grid[world, front] = cell_of_code(torch.device("cpu"))[code_of(Thing("box", "red"))]
            state.hand[world] = 0
    return state


@pytest.mark.parametrize("env_id", ENUMERABLE)
def test_optimal_actions_succeed_in_minigrid_as_early_as_the_graph_says(env_id: str, beside: Callable) -> None:
    seed = 3
    graph = layout_graph(draw_layouts(env_id, [seed]))
    worlds = beside(env_id, 1)
    worlds.reset([seed])
    state = int(graph.start[0])
    if graph.steps_to_success[state] < 0:
        pytest.skip("success is out of reach from this layout")
    succeeded = False
    for remaining in range(graph.steps_to_success[state], 0, -1):
        assert graph.steps_to_success[state] == remaining
        action = int(np.flatnonzero(graph.optimal[state])[0])
        succeeded = worlds.step([action]).success.item()
        state = int(graph.next_state[state, action])
    assert succeeded


def test_a_time_limit_cuts_off_in_the_same_step(beside: Callable) -> None:
    worlds = beside("MiniGrid-MemoryS7-v0", 1, max_steps=5)
    worlds.reset([0])
    assert [worlds.step([0]).truncated.item() for _ in range(5)] == [False] * 4 + [True]


@given(max_steps=st.integers(1, 5000), share=st.floats(0, 1))
@settings(derandomize=True)
def test_rewards_are_pythons_doubles_rounded_once(max_steps: int, share: float) -> None:
    time = round(share * max_steps)
    expected = np.float32(1 - 0.9 * (time / max_steps))
    assert reward_after(torch.tensor([time]), max_steps).item() == expected


@pytest.mark.parametrize(("actions", "named"), [([0, 7], 7), ([-1, 3], -1)])
def test_an_action_that_does_not_exist_is_refused(actions: list[int], named: int) -> None:
    with pytest.raises(ValueError, match=rf"An action is {named}; actions are 0 to 6\."):
        require_actions(torch.tensor(actions))


def test_worlds_in_a_batch_do_not_touch_each_other() -> None:
    layouts = draw_layouts("MiniGrid-DoorKey-6x6-v0", range(5))
    together, alone = layouts.start.clone(), [layouts.start[torch.tensor([world])] for world in range(5)]
    rng = np.random.default_rng(0)
    for _ in range(60):
        action = torch.tensor(rng.choice(7, size=5, p=MEDDLING))
        together, _ = step(together, action, layouts.setting)
        alone = [step(state, action[world : world + 1], layouts.setting)[0] for world, state in enumerate(alone)]
    for world, state in enumerate(alone):
        assert torch.equal(together.grid[world], state.grid[0])
        assert int(together.position[world]) == int(state.position)


def test_every_rule_and_family_of_ids_is_among_those_compared() -> None:
    registered = {env_id for env_id in gymnasium.registry if env_id.startswith("MiniGrid-")}
    left_out = {env_id for env_id in registered - set(TWIN_IDS) if "Dynamic" not in env_id and "WFC" not in env_id}
    assert not left_out
    assert len(TWIN_IDS) == len(set(TWIN_IDS))
