"""Every start of an environment, against resets with many seeds and against a tree of choices done by hand."""

from collections import Counter
from typing import cast

import gymnasium
import numpy as np
import pytest
from minigrid.envs.memory import MemoryEnv

from environments.graph.starts import ScriptedChoices, each_start


def _make(env_id: str) -> MemoryEnv:
    return cast(MemoryEnv, gymnasium.make(env_id, disable_env_checker=True).unwrapped)


def _layout(env: MemoryEnv) -> bytes:
    return env.grid.encode().tobytes() + bytes([*map(int, env.agent_pos), env.agent_dir])


def test_scripts_run_through_a_tree_whose_branches_differ() -> None:
    leaves = []
    script: list[int] | None = []
    while script is not None:
        choices = ScriptedChoices(script)
        first = choices.integers(0, 3)
        path = (first, choices.integers(5, 7)) if first == 1 else (first,)
        leaves.append((path, choices.probability()))
        script = choices.next_script()
    assert [path for path, _ in leaves] == [(0,), (1, 5), (1, 6), (2,)]
    np.testing.assert_allclose([probability for _, probability in leaves], [1 / 3, 1 / 6, 1 / 6, 1 / 3])


@pytest.mark.parametrize(
    ("env_id", "n_sequences"), [("MiniGrid-MemoryS7-v0", 16), ("MiniGrid-MemoryS13Random-v0", 196)]
)
def test_probabilities_of_all_sequences_sum_to_one(env_id: str, n_sequences: int) -> None:
    probabilities = list(each_start(_make(env_id)))
    assert len(probabilities) == n_sequences
    assert sum(probabilities) == pytest.approx(1)


@pytest.mark.parametrize("env_id", ["MiniGrid-MemoryS7FixedStart-v0", "MiniGrid-MemoryS7RandomDirection-v0"])
def test_seeded_resets_reach_the_same_starts_about_as_often(env_id: str) -> None:
    env = _make(env_id)
    expected: dict[bytes, float] = {}
    for probability in each_start(env):
        expected[_layout(env)] = expected.get(_layout(env), 0) + probability
    n_resets = 3_000
    env.reset(seed=0)
    counts = Counter()
    for _ in range(n_resets):
        env.reset()
        counts[_layout(env)] += 1
    assert counts.keys() == expected.keys()
    for layout, probability in expected.items():
        spread = np.sqrt(n_resets * probability * (1 - probability))
        assert abs(counts[layout] - n_resets * probability) < 5 * spread


def test_every_hallway_length_is_weighed_by_its_own_number_of_positions() -> None:
    env = _make("MiniGrid-MemoryS13Random-v0")
    probability_of_length: dict[int, float] = {}
    for probability in each_start(env):
        fork = env.success_pos[0]
        probability_of_length[fork] = probability_of_length.get(fork, 0) + probability
    np.testing.assert_allclose(list(probability_of_length.values()), np.full(7, 1 / 7))


def test_a_seed_makes_the_environment_random_again() -> None:
    env = _make("MiniGrid-MemoryS7-v0")
    list(each_start(env))
    env.reset(seed=3)
    ours = [_layout(env)]
    for _ in range(5):
        env.reset()
        ours.append(_layout(env))
    assert len(set(ours)) > 1


def test_a_task_that_draws_anything_but_integers_fails() -> None:
    class Drawing(MemoryEnv):
        def _gen_grid(self, width: int, height: int) -> None:
            super()._gen_grid(width, height)
            self._rand_float(0, 1)

    with pytest.raises(AttributeError, match="'ScriptedChoices' object has no attribute 'uniform'"):
        next(each_start(Drawing(size=7)))
