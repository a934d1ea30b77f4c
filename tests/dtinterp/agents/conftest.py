"""Tiny worlds whose values are known exactly."""

from dataclasses import dataclass

import pytest
import torch
from jaxtyping import Int16, Int64, UInt8
from torch import Tensor

from environments.worlds import Outcome

END = -1
"""The state after which nothing follows."""


@dataclass(frozen=True)
class Table:
    """A world as a table: what each state shows, and where each of its actions leads and what it pays."""

    shows: list[int]
    """frame of each state; frames 0, 1 and 2 show a key, a ball and nothing"""
    leads_to: list[list[int]]
    pays: list[list[float]]
    begins_in: list[int]
    """states in which episodes begin, all alike likely"""


class TableWorlds:
    """Copies of a table."""

    env_id = "Table-v0"
    max_steps = 2
    fact_names = ("state",)

    def __init__(self, table: Table, n_worlds: int, generator: torch.Generator) -> None:
        self.n_worlds = n_worlds
        self.n_actions = len(table.pays[0])
        self._generator = generator
        self._shows, self._begins_in = torch.tensor(table.shows), torch.tensor(table.begins_in)
        self._leads_to, self._pays = torch.tensor(table.leads_to), torch.tensor(table.pays)
        self.frames: UInt8[Tensor, "frame view view 3"] = torch.zeros(3, 7, 7, 3, dtype=torch.uint8)
        self.frames[:, 3, 6, 0] = torch.tensor([5, 6, 1])  # key, ball, nothing where the agent stands
        self.reset()

    def reset(self) -> Int64[Tensor, " world"]:
        self._state = self._drawn()
        return self._shows[self._state]

    def step(self, action: Int64[Tensor, " world"]) -> Outcome:
        reward, state = self._pays[self._state, action], self._leads_to[self._state, action]
        terminated = state == END
        self._state = torch.where(terminated, self._drawn(), state)
        return Outcome(
            frame_id=self._shows[self._state],
            reward=reward,
            terminated=terminated,
            truncated=torch.zeros_like(terminated),
            success=terminated & (reward > 0),
        )

    def facts(self) -> Int16[Tensor, "world fact"]:
        return self._state[:, None].to(torch.int16)

    def _drawn(self) -> Int64[Tensor, " world"]:
        return self._begins_in[torch.randint(len(self._begins_in), (self.n_worlds,), generator=self._generator)]


PROBES = {
    "1 constant value": Table(shows=[2], leads_to=[[END]], pays=[[1.0]], begins_in=[0]),
    "2 value from the observation": Table(
        shows=[0, 1], leads_to=[[END], [END]], pays=[[1.0], [-1.0]], begins_in=[0, 1]
    ),
    "3 discounting": Table(shows=[0, 1], leads_to=[[1], [END]], pays=[[0.0], [1.0]], begins_in=[0]),
    "4 reward from the action": Table(shows=[2], leads_to=[[END, END]], pays=[[1.0, -1.0]], begins_in=[0]),
    "5 reward from observation and action": Table(
        shows=[0, 1], leads_to=[[END, END], [END, END]], pays=[[1.0, -1.0], [-1.0, 1.0]], begins_in=[0, 1]
    ),
    "6 the first action decides on the second reward": Table(
        shows=[2, 0, 1],
        leads_to=[[1, 2], [END, END], [END, END]],
        pays=[[0.0, 0.0], [1.0, 1.0], [-1.0, -1.0]],
        begins_in=[0],
    ),
    "7 memory of the first observation": Table(
        shows=[0, 1, 2, 2],
        leads_to=[[2, 2], [3, 3], [END, END], [END, END]],
        pays=[[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0]],
        begins_in=[0, 1],
    ),
}


@pytest.fixture
def probe(request: pytest.FixtureRequest) -> TableWorlds:
    """The probe world of the name that the test is parametrised with."""
    return TableWorlds(PROBES[request.param], 32, torch.Generator().manual_seed(0))


@pytest.fixture
def recall() -> TableWorlds:
    """Two steps an episode: a cue, then a blank that looks the same after either. Half is all the forgetful get."""
    return TableWorlds(PROBES["7 memory of the first observation"], 64, torch.Generator().manual_seed(0))
