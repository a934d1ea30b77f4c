"""The registered ids: theirs are MiniGrid's, ours pass gymnasium's own checks."""

import subprocess
import sys

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from environments.registration import SUPPORTED_IDS, register_worlds, require_supported

OWN_IDS = SUPPORTED_IDS[:3]


@pytest.mark.parametrize("env_id", SUPPORTED_IDS)
def test_every_supported_id_can_be_made(env_id: str) -> None:
    observation, _ = gymnasium.make(env_id).reset(seed=0)
    assert observation["image"].shape == (7, 7, 3)


@pytest.mark.parametrize("env_id", OWN_IDS)
def test_our_ids_pass_gymnasiums_check_without_a_warning(env_id: str) -> None:
    # The render check is skipped because it also opens a window; the picture is tested below.
    check_env(gymnasium.make(env_id).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("env_id", OWN_IDS)
def test_our_ids_render_to_an_array(env_id: str) -> None:
    env = gymnasium.make(env_id, render_mode="rgb_array", tile_size=8)
    env.reset(seed=0)
    picture = env.render()
    assert getattr(picture, "shape", None) == (56, 56, 3)


@pytest.mark.parametrize("env_id", OWN_IDS)
def test_our_episodes_last_50_steps_at_most(env_id: str) -> None:
    env = gymnasium.make(env_id)
    env.reset(seed=0)
    truncated = [env.step(6)[3] for _ in range(50)]
    assert truncated == [False] * 49 + [True]


def test_registering_twice_changes_nothing() -> None:
    before = dict(gymnasium.registry)
    register_worlds()
    assert gymnasium.registry == before


def test_importing_the_package_registers_its_ids_and_loads_no_torch() -> None:
    program = "import sys, gymnasium, environments; print('torch' in sys.modules, sorted(gymnasium.registry))"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("False")
    assert all(env_id in printed for env_id in SUPPORTED_IDS)


def test_an_unsupported_id_is_named_beside_those_that_are_supported() -> None:
    with pytest.raises(ValueError, match=r"'MiniGrid-DoorKey-8x8-v0' is not supported; choose one of .*MemoryS7-v0"):
        require_supported("MiniGrid-DoorKey-8x8-v0")
