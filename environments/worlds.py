"""The protocol of worlds that run side by side, and worlds that step by looking up a state graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float32, Int16, Int64, Shaped, UInt8
from torch import Tensor

from environments.graph.enumeration import CONTINUES, SUCCESS
from environments.graph.state_graph import StateGraph
from environments.twin.dynamics import require_actions, reward_after

N_DRAWN_STARTS = 1024
"""Episodes per world whose starts are drawn up front; the episodes after them run through the same starts again."""


@dataclass(frozen=True)
class Outcome:
    """What one step of every world brought.

    An episode that reaches the time limit is truncated, even where it terminates in that very step, as in MiniGrid.
    """

    frame_id: Int64[Tensor, " world"]
    """The frame now shown; where the episode ended, the first frame of the next episode."""
    reward: Float32[Tensor, " world"]
    terminated: Bool[Tensor, " world"]
    truncated: Bool[Tensor, " world"]
    success: Bool[Tensor, " world"]
    """Whether the episode ended at the matching target."""
    cut_frame_id: Int64[Tensor, " world"] | None = None
    """Where the time limit cut an episode short, the frame that it would have gone on from; elsewhere `frame_id`.

    None where the worlds do not tell.
    """


@runtime_checkable
class Worlds(Protocol):
    """Copies of one world that run side by side and start over by themselves."""

    env_id: str
    n_worlds: int
    n_actions: int
    max_steps: int
    fact_names: tuple[str, ...]

    @property
    def frames(self) -> UInt8[Tensor, "frame view view 3"]:
        """The distinct frames of the world that are known so far, which frame ids point into."""
        ...

    def reset(self) -> Int64[Tensor, " world"]:
        """Begin the first episode of every world, the same one each time, and return the ids of the frames shown."""
        ...

    def step(self, action: Int64[Tensor, " world"]) -> Outcome:
        """Take one action in every world; a world whose episode ends begins its next one at once."""
        ...

    def facts(self) -> Int16[Tensor, "world fact"]:
        """Return the facts of the states that the worlds are in now, time included."""
        ...


@runtime_checkable
class Suspendable(Protocol):
    """Worlds that can be put aside in the middle of their episodes, and equal ones go on from there later."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return all that changes while the worlds are stepped, as tensors that later steps leave alone."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what worlds made in the same way returned."""
        ...


class GraphWorlds:
    """Worlds that step by looking up a state graph.

    How episode k of world w starts is drawn when the worlds are made, so it does not depend on what a policy does: two
    policies on worlds made from equal generators, or on the same worlds after `reset`, face the same starts.
    """

    def __init__(
        self,
        graph: StateGraph,
        n_worlds: int,
        *,
        generator: torch.Generator,
        first: Int64[Tensor, " world"] | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        """Draw the starts and begin the first episodes, those in the states `first` where it is given.

        Raises ValueError unless there is at least one world.
        """
        if n_worlds < 1:
            raise ValueError(f"The number of worlds is {n_worlds}; at least 1 is needed.")
        self.env_id = graph.env_id
        self.n_worlds = n_worlds
        self.n_actions = graph.n_actions
        self.max_steps = graph.max_steps
        self.fact_names = graph.fact_names
        self.frames = torch.tensor(graph.frames, device=device)
        self._frame_id = torch.tensor(graph.frame_id, dtype=torch.int64, device=device)
        self._next_state = torch.tensor(graph.next_state, dtype=torch.int64, device=device)
        self._outcome = torch.tensor(graph.outcome, device=device)
        self._facts = torch.tensor(graph.facts, device=device)
        self._reward = reward_after(torch.arange(graph.max_steps + 1), graph.max_steps).to(device)
        self._start = _draw_starts(graph, n_worlds, generator).to(device)  # world episode
        if first is not None:
            self._start[:, 0] = first.to(device)
        self._world = torch.arange(n_worlds, device=device)
        self.reset()

    def reset(self) -> Int64[Tensor, " world"]:
        """Begin the first episode of every world, the same one each time, and return the ids of the frames shown."""
        self._episode = torch.zeros_like(self._world)
        self._time = torch.zeros_like(self._world)
        self._state = self._start[:, 0]
        return self._frame_id[self._state]

    def step(self, action: Shaped[Tensor, "..."]) -> Outcome:
        """Take one action in every world; a world whose episode ends begins its next one at once.

        Raises ValueError for an action that the world does not have.
        """
        action = require_actions(action, self.n_worlds, self.n_actions)
        time = self._time + 1
        outcome = self._outcome[self._state, action]
        terminated = outcome != CONTINUES
        truncated = time >= self.max_steps
        success = outcome == SUCCESS
        ended = terminated | truncated
        self._episode = (self._episode + ended) % N_DRAWN_STARTS
        next_state = self._next_state[self._state, action]
        self._state = torch.where(ended, self._start[self._world, self._episode], next_state)
        self._time = torch.where(ended, 0, time)
        frame_id = self._frame_id[self._state]
        return Outcome(
            frame_id=frame_id,
            reward=torch.where(success, self._reward[time], 0.0),
            terminated=terminated,
            truncated=truncated,
            success=success,
            cut_frame_id=torch.where(truncated & ~terminated, self._frame_id[next_state], frame_id),
        )

    @property
    def state(self) -> Int64[Tensor, " world"]:
        """The state of the graph that each world is in now."""
        return self._state

    def facts(self) -> Int16[Tensor, "world fact"]:
        """Return the facts of the states that the worlds are in now, time included."""
        facts = self._facts[self._state]
        facts[:, -1] = self._time.to(torch.int16)
        return facts

    def state_dict(self) -> dict[str, Tensor]:
        """Return all that changes while the worlds are stepped, as tensors that later steps leave alone."""
        return {"episode": self._episode, "time": self._time, "state": self._state}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what worlds made in the same way returned."""
        device = self._world.device
        self._episode, self._time, self._state = (state[name].to(device) for name in ("episode", "time", "state"))


def _draw_starts(graph: StateGraph, n_worlds: int, generator: torch.Generator) -> Int64[Tensor, "world episode"]:
    """Draw the states in which the episodes of each world begin, independently of each other."""
    probability = torch.tensor(graph.start_probability, device=generator.device)
    drawn = torch.multinomial(probability, n_worlds * N_DRAWN_STARTS, replacement=True, generator=generator)
    start = torch.tensor(graph.start, dtype=torch.int64, device=generator.device)
    return start[drawn].reshape(n_worlds, N_DRAWN_STARTS)
