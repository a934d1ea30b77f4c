"""Which ids the twin steps, by which rule, and what it says of the others; and the families' pages against the code."""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Dict
from minigrid.core.actions import Actions
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX
from minigrid.envs.empty import EmptyEnv

from environments.families import registry
from environments.families.done_beside import DoneBeside
from environments.families.facts import fact_names, facts_of_states
from environments.families.fetch import Fetch
from environments.families.legality import require_legal
from environments.families.memory import MatchMemory
from environments.families.pick_up import PickUpTarget
from environments.families.put_near import PutNear
from environments.families.reach_goal import ReachGoal
from environments.families.red_blue_doors import OpenRedThenBlue
from environments.families.registry import family_of, refusal
from environments.families.unlock import OpenDoor
from environments.graph.state_graph import layout_graph
from environments.making import make_worlds
from environments.registration import WorldError, make, twin_ids
from environments.twin.dynamics import step
from environments.twin.layouts import Layouts, draw_layouts, spec_of, state_of
from environments.twin_worlds import TwinWorlds

if TYPE_CHECKING:
    from tests.environments.families.corner import CornerEnv

RULES = {
    "Empty-8x8": ReachGoal(),
    "LockedRoom": ReachGoal(),
    "Playground": ReachGoal(),
    "MemoryS7": MatchMemory(pickup_toggles=True),
    "MemoryS7FixedStartStatic": MatchMemory(pickup_toggles=True),
    "MemoryS7FixedStart": MatchMemory(pickup_toggles=False),
    "GoToDoor-5x5": DoneBeside(),
    "GoToObject-6x6-N2": DoneBeside(),
    "Fetch-5x5-N2": Fetch(),
    "PutNear-6x6-N2": PutNear(),
    "RedBlueDoors-6x6": OpenRedThenBlue(),
    "Unlock": OpenDoor(),
    "UnlockPickup": PickUpTarget(),
    "KeyCorridorS3R1": PickUpTarget(),
    "ObstructedMaze-1Dlh": PickUpTarget(),
}


@pytest.mark.parametrize(("name", "rule"), RULES.items())
def test_each_family_has_its_rule(name: str, rule: object) -> None:
    assert family_of(make(f"MiniGrid-{name}-v0")).rule == rule


@pytest.mark.filterwarnings("ignore:.*out of date")
def test_every_listed_id_is_stepped_by_the_twin() -> None:
    assert len(twin_ids()) == 73
    for env_id in twin_ids():
        assert refusal(make(env_id)) is None


def test_worlds_whose_packages_are_missing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("environments.registration._WFC_PACKAGES", ("imageio_that_nobody_has",))
    with pytest.raises(WorldError, match=r"MiniGrid-WFC-MazeSimple-v0 needs imageio_that_nobody_has; install"):
        make("MiniGrid-WFC-MazeSimple-v0")


@pytest.mark.parametrize(
    ("env_id", "reason"),
    [
        (
            "MiniGrid-Dynamic-Obstacles-5x5-v0",
            r"MiniGrid-Dynamic-Obstacles-5x5-v0 moves its obstacles at random.*use MiniGridWorlds",
        ),
        ("BabyAI-GoToRedBall-v0", r"BabyAI-GoToRedBall-v0 is a BabyAI level: a verifier of instructions"),
        ("MiniGrid-Dynamic-Obstacles-8x8-v0", r"MiniGrid-Dynamic-Obstacles-8x8-v0 moves"),
        ("MiniGrid-Labyrinth-v0", r"There is no environment 'MiniGrid-Labyrinth-v0'; the nearest id is 'MiniGrid-"),
        ("CartPole-v1", r"'CartPole-v1' is a CartPoleEnv, not a MiniGrid environment"),
    ],
)
def test_other_ids_are_refused_by_name_with_the_reason(env_id: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        draw_layouts(env_id, [0])


class _Slippery(EmptyEnv):
    def step(self, action: int) -> tuple:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().step(action)


class _Generous(EmptyEnv):
    def _reward(self) -> float:
        return 1.0


@pytest.mark.parametrize(
    ("made", "reason"),
    [(_Slippery, r"_Slippery has a step method of its own"), (_Generous, r"_Generous overrides _reward of MiniGrid")],
)
def test_a_class_that_changes_the_rules_is_not_taken_for_its_parent(made: type[EmptyEnv], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        family_of(made())


@pytest.mark.parametrize("size", [-3, 1, 4])
def test_a_view_that_minigrid_does_not_have_is_refused(size: int) -> None:
    with pytest.raises(WorldError, match=rf"agent_view_size is {size}; .* odd number of cells, at least 3"):
        draw_layouts("MiniGrid-DoorKey-5x5-v0", [0], agent_view_size=size)


def test_our_own_ids_are_among_them() -> None:
    assert {env_id for env_id in gymnasium.registry if env_id.startswith("MiniGrid-") and "Fixed" in env_id} <= set(
        twin_ids()
    )


# -------------------------------------------------------------------------------------- one more file, one more family


@pytest.fixture
def corner_id() -> Iterator[str]:
    """The id of the toy family, which is there as long as the test runs."""
    families, values = dict(registry._FAMILIES), dict(registry.FACT_VALUES)
    yield import_module("tests.environments.families.corner").ENV_ID
    registry._FAMILIES.clear()
    registry._FAMILIES.update(families)
    registry.FACT_VALUES.clear()
    registry.FACT_VALUES.update(values)
    del gymnasium.registry["Toy-Corner-v0"]
    del sys.modules["tests.environments.families.corner"]


def test_a_family_dropped_in_is_made_stepped_and_told_by_its_facts(corner_id: str) -> None:
    env = cast("CornerEnv", make(corner_id))
    env.reset(seed=0)
    layouts = draw_layouts(corner_id, range(8))
    spec, state = layouts.spec, state_of(env)
    rng, n_successes = np.random.default_rng(0), 0
    for _ in range(150):
        action = int(rng.choice(7, p=[0.2, 0.2, 0.5, 0.02, 0.02, 0.03, 0.03]))
        _, reward, terminated, truncated, _ = env.step(action)
        state, result = step(state, torch.tensor([action]), spec)
        facts = dict(zip(fact_names(spec), facts_of_states(state, spec)[0].tolist(), strict=True))
        assert result.reward.item() == np.float32(reward)
        assert (result.terminated.item(), result.truncated.item()) == (terminated, truncated)
        assert (facts["x"], facts["y"]) == tuple(env.agent_pos)
        assert (facts["target_x"], facts["target_y"]) == env.corner
        assert registry.FACT_VALUES["corner_is_north"][facts["corner_is_north"]] == ("no", "yes")[env.corner[1] == 1]
        n_successes += reward > 0
        if terminated or truncated:
            env.reset()
            state = state_of(env)
    assert n_successes > 2
    worlds = make_worlds(corner_id, 3, generator=torch.Generator().manual_seed(0), n_layouts=8)
    assert isinstance(worlds, TwinWorlds)
    assert worlds.facts().shape == (3, len(worlds.fact_names))
    assert layout_graph(layouts).fact_names[-2] == "corner_is_north"
    elsewhere = replace(layouts.start, parameters=layouts.start.parameters + 6 * torch.tensor([1, 0, 0]))
    with pytest.raises(ValueError, match=r"World 0: The corner is cell 1[36]\."):
        require_legal(elsewhere, spec)


def test_a_fact_means_one_thing_in_every_family() -> None:
    class Contrary(ReachGoal):
        fact_values: ClassVar[dict[str, tuple[str, ...]]] = {"direction": ("up", "down")}

    with pytest.raises(ValueError, match=r"The fact 'direction' of Contrary is one of \('east', 'south'"):
        registry.register(Contrary(), lambda _: ())


# --------------------------------------------------------------------------------------------- the families' pages

WORLDS = Path(__file__).parents[3] / "docs" / "worlds.md"
PAGES = sorted((WORLDS.parent / "worlds").glob("*.md"))
UNUSED = "nothing in these worlds"
ROW = re.compile(r"^\| `(MiniGrid-\S+)` \| (\d+) × (\d+) \| (\d+) \| (occluded|through walls) \|$", re.MULTILINE)


def _ids_on(page: Path) -> list[str]:
    return [row[0] for row in ROW.findall(page.read_text(encoding="utf-8"))]


def _section(page: Path, title: str) -> str:
    return page.read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]


def test_every_id_is_on_one_page_and_no_other_id_is() -> None:
    listed = [env_id for page in PAGES for env_id in _ids_on(page)]
    assert sorted(listed) == sorted(twin_ids())


@pytest.mark.filterwarnings("ignore:.*out of date")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_the_sizes_the_rule_and_the_facts_of_its_ids(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for env_id, width, height, max_steps, sight in ROW.findall(text):
        env = make(env_id)
        spec = spec_of(env, env_id)
        assert (spec.width, spec.height, spec.max_steps) == (int(width), int(height), int(max_steps)), env_id
        assert spec.sees_through_walls == (sight == "through walls"), env_id
        assert f"| Rule in the twin | `{type(spec.rule).__name__}` |" in text
        assert re.findall(r"`(\w+)`", _section(page, "Facts").split(". ")[0]) == list(fact_names(spec))
        assert isinstance(env.observation_space, Dict)
        assert set(env.observation_space) == {"image", "direction", "mission"}
        assert f"| Action space | `Discrete({len(Actions)})` |" in text
        assert "`UInt8[{}, {}, {}]`".format(*env.observation_space["image"].shape or ()) in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_table_of_worlds_has_each_page_with_its_rule_and_number_of_ids(page: Path) -> None:
    (title,) = re.findall(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    rule = type(family_of(make(_ids_on(page)[0])).rule).__name__
    row = f"| [{title}](worlds/{page.name}) | `{rule}` | {len(_ids_on(page))} |"
    assert row in WORLDS.read_text(encoding="utf-8").splitlines()


@pytest.mark.filterwarnings("ignore:.*out of date")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_missions_read_as_the_page_says(page: Path) -> None:
    (told,) = re.findall(r"^\| Mission \| (.+) \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    choices = {"{colour}": "|".join(COLOR_TO_IDX), "{kind}": "|".join(OBJECT_TO_IDX)}
    patterns = {re.sub(r"{\w+}", lambda word: f"({choices[word[0]]})", text) for text in re.findall(r'"([^"]+)"', told)}
    met = set()
    for env_id in _ids_on(page):
        env = make(env_id)
        for seed in range(60 // len(_ids_on(page))):
            env.reset(seed=seed)
            met.add(next((pattern for pattern in patterns if re.fullmatch(pattern, env.mission)), env.mission))
    assert met == (patterns or {""})


@pytest.mark.filterwarnings("ignore:.*out of date")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_actions_that_a_page_calls_idle_never_do_anything_and_the_others_do(page: Path) -> None:
    told = dict(re.findall(r"^\| \d \| (\w+) \| (.+) \|$", _section(page, "Actions"), re.MULTILINE))
    ids = _ids_on(page)
    used = {env_id: _actions_with_effect(draw_layouts(env_id, range(12)), max(40, 300 // len(ids))) for env_id in ids}
    for action in Actions:
        only_in = re.findall(r"`(MiniGrid-\S+)`", told[action.name])
        may_use = [] if told[action.name] == UNUSED else only_in or ids
        using = [env_id for env_id in ids if action in used[env_id]]
        assert set(using) <= set(may_use), action.name
        assert using or not may_use, action.name
        assert not only_in or using == only_in, action.name


def _actions_with_effect(layouts: Layouts, n_steps: int) -> set[Actions]:
    """The actions that, somewhere along aimless steps from these layouts, changed something or ended an episode."""
    generator, found = torch.Generator().manual_seed(0), set()
    start = layouts.start[torch.arange(600) % len(layouts)]
    state = start.clone()
    for _ in range(n_steps):
        action, before = torch.randint(len(Actions), (len(state),), generator=generator), state.clone()
        state, result = step(state, action, layouts.spec)
        changed = result.terminated | (state.grid != before.grid).any(1) | (state.hand != before.hand)
        changed |= (state.position != before.position) | (state.direction != before.direction)
        found |= {Actions(number) for number in action[changed].unique().tolist()}
        over = result.terminated.nonzero()[:, 0]
        state.put(over, start[over])
    return found
