"""Which ids the twin steps, by which rule, and what it says of the others."""

import gymnasium
import pytest
from minigrid.envs.empty import EmptyEnv

from environments.batched.families import TWIN_IDS, family_of, make, refusal
from environments.batched.layouts import draw_layouts
from environments.batched.rules import (
    DoneBeside,
    Fetch,
    MatchMemory,
    OpenDoor,
    OpenRedThenBlue,
    PickUpTarget,
    PutNear,
    ReachGoal,
)
from environments.errors import WorldError

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
    assert len(TWIN_IDS) == 73
    for env_id in TWIN_IDS:
        assert refusal(make(env_id)) is None


def test_worlds_whose_packages_are_missing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("environments.batched.families._WFC_PACKAGES", ("imageio_that_nobody_has",))
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
        TWIN_IDS
    )
