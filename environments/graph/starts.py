"""Every start that the random choices of an environment can make, each with its exact probability."""

from collections.abc import Iterator, Sequence
from typing import cast

import gymnasium
import numpy as np
import torch
from minigrid.envs.memory import MemoryEnv

from environments.grid.state import concatenated
from environments.registration import require_supported
from environments.twin.layouts import Layouts, spec_of, state_of


class ScriptedChoices:
    """A random generator that follows a script, then takes first options, and remembers how many options there were.

    It offers `integers` only, which is all that the memory tasks draw. A task that draws anything else fails.
    """

    def __init__(self, script: Sequence[int]) -> None:
        self._script = script
        self._choices: list[int] = []
        self._n_options: list[int] = []

    def integers(self, low: int, high: int) -> int:
        """Return the scripted integer in [low, high)."""
        turn = len(self._choices)
        choice = self._script[turn] if turn < len(self._script) else 0
        self._choices.append(choice)
        self._n_options.append(high - low)
        return low + choice

    def probability(self) -> float:
        """Return the probability of the choices so far, each having been uniform over its options."""
        return 1 / float(np.prod(self._n_options))

    def next_script(self) -> list[int] | None:
        """Return the script that follows in lexicographic order, or None after the last one."""
        for turn in reversed(range(len(self._choices))):
            if self._choices[turn] + 1 < self._n_options[turn]:
                return [*self._choices[:turn], self._choices[turn] + 1]
        return None


def each_start(env: MemoryEnv) -> Iterator[float]:
    """Reset `env` once for each sequence of random choices that it can make, and yield the sequence's probability.

    The probabilities sum to one. Different sequences may lead to the same start. Afterwards the environment stays
    scripted until it is reset with a seed.
    """
    script: list[int] | None = []
    while script is not None:
        choices = ScriptedChoices(script)
        env.np_random = cast(np.random.Generator, choices)
        env.reset()
        yield choices.probability()
        script = choices.next_script()


def exhaustive_layouts(env_id: str) -> Layouts:
    """Return every layout that a memory world can begin with, each sequence of random choices with its probability.

    Raises ValueError for an id that is not one of `environments.registration.SUPPORTED_IDS`; the other worlds draw
    places until one is free, so their choices have no end.
    """
    require_supported(env_id)
    env = cast(MemoryEnv, gymnasium.make(env_id, disable_env_checker=True).unwrapped)
    starts, probability = [], []
    for chance in each_start(env):
        starts.append(state_of(env))
        probability.append(chance)
    return Layouts(spec_of(env, env_id), concatenated(starts), torch.tensor(probability, dtype=torch.float64))
