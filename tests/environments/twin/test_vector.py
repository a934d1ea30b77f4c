"""The twin as a gymnasium vector environment, and an agent of another library that trains on it."""

from itertools import combinations
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from minigrid.core.actions import Actions
from minigrid.core.constants import IDX_TO_COLOR, IDX_TO_OBJECT

from environments.families.done_beside import DoneBeside
from environments.families.facts import mission_of
from environments.families.fetch import Fetch
from environments.families.pick_up import PickUpTarget
from environments.families.put_near import PutNear
from environments.registration import SUPPORTED_IDS, make, twin_ids
from environments.twin.layouts import draw_layouts, spec_of, state_of
from environments.twin.vector import TwinVectorEnv, VectorObservation

DOORS = "MiniGrid-DoorKey-5x5-v0"


def _twin(n_worlds: int = 4, **options: int) -> TwinVectorEnv:
    return TwinVectorEnv(draw_layouts(DOORS, range(6), **options), n_worlds, seed=1)


@pytest.mark.parametrize("env_id", SUPPORTED_IDS[:3])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_our_own_ids_pass_gymnasiums_check(env_id: str) -> None:
    check_env(gymnasium.make(env_id).unwrapped, skip_render_check=True)


def test_the_twin_is_a_vector_environment_that_says_how_it_starts_over() -> None:
    env = _twin()
    assert isinstance(env, VectorEnv)
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP


def test_observations_lie_in_the_declared_space() -> None:
    env = _twin()
    observation, info = env.reset(seed=3)
    assert info == {}
    assert observation in env.observation_space
    for _ in range(30):
        observation, *_ = env.step(env.action_space.sample())
        assert observation in env.observation_space


def test_it_behaves_as_gymnasiums_own_vector_environment_does() -> None:
    """One layout only, so both begin every episode alike, whatever the draws."""
    layouts = draw_layouts("MiniGrid-Empty-5x5-v0", [0], max_steps=9)
    twin = TwinVectorEnv(layouts, 3)
    theirs = SyncVectorEnv(
        [lambda: gymnasium.make("MiniGrid-Empty-5x5-v0", max_steps=9)] * 3, autoreset_mode=AutoresetMode.SAME_STEP
    )
    ours, other = twin.reset(seed=0)[0], theirs.reset(seed=0)[0]
    rng = np.random.default_rng(0)
    n_ended = 0
    for _ in range(60):
        assert all(np.array_equal(ours[key], other[key]) for key in ("image", "direction"))
        action = rng.choice(7, size=3, p=[0.1, 0.2, 0.7, 0, 0, 0, 0])
        ours, *told, info = twin.step(action)
        other, *expected, their_info = theirs.step(action)
        assert all(np.allclose(one, two) for one, two in zip(told, expected, strict=True))
        assert info.keys() == their_info.keys()
        if "final_obs" in their_info:
            n_ended += 1
            assert np.array_equal(info["_final_obs"], their_info["_final_obs"])
            assert np.array_equal(info["_final_info"], their_info["_final_info"])
            assert info["final_info"] == their_info["final_info"]
            for world in np.flatnonzero(info["_final_obs"]):
                last, their_last = info["final_obs"][world], their_info["final_obs"][world]
                assert np.array_equal(last["image"], their_last["image"])
                assert last["direction"] == their_last["direction"]
    assert n_ended > 5


def test_a_seed_gives_the_same_starts_and_another_seed_others() -> None:
    env = _twin(64)
    images = [env.reset(seed=seed)[0]["image"] for seed in (1, 1, 2)]
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


def test_resets_without_a_seed_go_on_to_other_episodes() -> None:
    env = _twin(64)
    images = [env.reset(seed=5)[0]["image"], *(env.reset()[0]["image"] for _ in range(3))]
    assert not any(np.array_equal(one, other) for one, other in combinations(images, 2))
    again = [env.reset(seed=5)[0]["image"], *(env.reset()[0]["image"] for _ in range(3))]
    assert np.array_equal(images, again)


def test_the_seed_is_known_afterwards() -> None:
    env = _twin()
    assert env.np_random_seed == 1
    env.reset(seed=7)
    env.reset()
    assert env.np_random_seed == 7


def test_what_is_returned_belongs_to_the_caller() -> None:
    env, untouched = _twin(), _twin()
    for action in (0, 2, 1, 2):
        _overwrite(env.reset(seed=2)[0], 1)
        untouched.reset(seed=2)
        ours, *told, _ = env.step(np.full(4, action))
        theirs, *expected, _ = untouched.step(np.full(4, action))
        assert all(np.array_equal(ours[name], theirs[name]) for name in ("direction", "image", "mission"))
        assert np.array_equal(told, expected)
        _overwrite(ours, 0)
        for values in told:
            values.fill(0)
        assert np.array_equal(env.episodes.state.direction.numpy(), untouched.episodes.state.direction.numpy())
        assert np.array_equal(env.episodes.state.time.numpy(), untouched.episodes.state.time.numpy())


def _overwrite(observation: VectorObservation, value: int) -> None:
    for name in ("direction", "image", "mission"):
        observation[name].fill(value)


@pytest.mark.parametrize("seed", [-1, [1, 2, 3, 4], 2**64])
def test_a_seed_that_is_not_one_number_is_refused(seed: int | list[int | None]) -> None:
    with pytest.raises(ValueError, match=r"The seed is .*; it is one number, at least 0"):
        _twin().reset(seed=seed)


@pytest.mark.parametrize("n_worlds", [0, -1])
def test_no_worlds_are_refused(n_worlds: int) -> None:
    with pytest.raises(ValueError, match=rf"The number of worlds is {n_worlds}; at least 1 is needed"):
        _twin(n_worlds)


@pytest.mark.parametrize(
    ("actions", "complaint"),
    [
        (np.full(4, 2.9), r"The actions are float64; actions are integers, 0 to 6"),
        (np.full(4, -0.5), r"The actions are float64"),
        (np.full(4, True), r"The actions are bool"),
        (["a"] * 4, r"The actions are <U1"),
        (None, r"The actions are object"),
        (np.full((4, 1), 2), r"The actions have shape \(4, 1\)"),
        (np.array([2]), r"There are 1 actions for 4 worlds"),
        (np.full(4, 7), r"An action is 7; actions are 0 to 6"),
        (np.full(4, 2**64 - 1, dtype=np.uint64), r"An action is -1"),
    ],
)
def test_actions_that_are_no_row_of_integers_are_refused(actions: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        _twin().step(actions)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint64"])
def test_actions_of_any_integer_type_do_the_same(kind: str) -> None:
    ours, theirs = _twin(), _twin()
    for action in (0, 2, 1, 2, 3, 2):
        shown = ours.step(np.full(4, action, dtype=kind))[0]
        assert np.array_equal(shown["image"], theirs.step(np.full(4, action))[0]["image"])


def _words(mission: np.ndarray) -> list[str]:
    """What a mission in numbers names, in MiniGrid's words."""
    pairs = [(mission[0], mission[1]), (mission[2], mission[3])]
    return [f"{IDX_TO_COLOR[colour]} {IDX_TO_OBJECT[kind]}" for kind, colour in pairs if kind]


@pytest.mark.parametrize("env_id", twin_ids())
@pytest.mark.filterwarnings("ignore:.*out of date")
def test_the_numbers_of_a_mission_say_what_its_words_say(env_id: str) -> None:
    """The words name what the numbers name, and missions that ask for different things have different numbers."""
    env, spec = make(env_id), spec_of(make(env_id), env_id)
    asked: dict[tuple[int, ...], set[str]] = {}
    for seed in range(12):
        env.reset(seed=seed)
        mission = mission_of(state_of(env), spec)[0].numpy()
        assert all(word in env.mission for word in _words(mission))
        asked.setdefault(tuple(mission.tolist()), set()).add(env.mission.split("get a ")[-1].split("fetch a ")[-1])
    assert all(len(missions) == 1 for missions in asked.values()) or "LockedRoom" in env_id
    is_named = isinstance(spec.rule, DoneBeside | Fetch | PutNear | PickUpTarget)
    assert (len(asked) > 1) == (is_named and "Obstructed" not in env_id)


def test_missions_are_shown_and_those_of_finished_episodes_too() -> None:
    layouts = draw_layouts("MiniGrid-GoToDoor-5x5-v0", range(40))
    env = TwinVectorEnv(layouts, 16)
    begun = env.reset(seed=0)[0]["mission"]
    after, *_, info = env.step(np.full(16, Actions.done))
    assert np.array_equal([last["mission"] for last in info["final_obs"]], begun)
    assert not np.array_equal(after["mission"], begun)
    assert np.array_equal(after["mission"], mission_of(env.episodes.state, layouts.spec).numpy())


def test_gymnasium_makes_the_twin_of_any_id() -> None:
    for env_id, n_layouts in (("MiniGrid-MemoryS7FixedStart-v0", 4), ("MiniGrid-Empty-Random-5x5-v0", 3)):
        env = gymnasium.make_vec(f"twin/{env_id}", num_envs=5, n_layouts=3, seed=4)
        assert isinstance(env, TwinVectorEnv)
        assert (env.num_envs, env.np_random_seed) == (5, 4)
        assert env.spec is not None
        assert env.spec.id == f"twin/{env_id}"
        layouts = {tuple(row) for _ in range(20) for row in env.reset()[0]["image"].reshape(5, -1).tolist()}
        assert len(layouts) <= n_layouts
        assert env.step(env.action_space.sample())[0] in env.observation_space
    assert {f"twin/{env_id}" for env_id in twin_ids()} <= set(gymnasium.registry)


def test_options_of_the_twin_go_to_minigrid() -> None:
    env = gymnasium.make_vec("twin/MiniGrid-MemoryS7-v0", num_envs=2, n_layouts=2, max_steps=3, agent_view_size=5)
    assert env.reset(seed=0)[0]["image"].shape == (2, 5, 5, 3)
    assert [bool(env.step(np.zeros(2, dtype=int))[3].all()) for _ in range(3)] == [False, False, True]


def test_a_kept_state_can_be_gone_back_to() -> None:
    env = _twin(8)
    env.reset(seed=3)
    kept, episode = env.episodes.state.clone(), env.episodes.episode.clone()
    ways = []
    for _ in range(2):
        shown = env.put(kept, episode=episode)
        rng = np.random.default_rng(0)
        ways.append([shown["image"], *(env.step(rng.integers(0, 7, 8))[0]["image"] for _ in range(300))])
    assert all(np.array_equal(one, other) for one, other in zip(*ways, strict=True))


def test_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"The options \{'difficulty': 3\} were given"):
        _twin().reset(options={"difficulty": 3})
