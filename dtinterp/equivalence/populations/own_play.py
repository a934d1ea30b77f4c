"""The model's own play, met where it would not have gone by itself: greedy, after a few random actions.

From the starts alone a greedy player meets few observations (16 of 96 in the Memory world). So each episode begins with
0 to `most_random` actions drawn uniformly from all that the world has, and goes on as the model would. Each play is one
whole episode, and episodes are drawn alike whatever their length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.agents.policy import Decision, MemoryT, Observation, Policy
from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.evaluate import Resting
from dtinterp.demonstrations.rollout import Step, roll_out
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.equivalence.populations.asked import attainable
from dtinterp.equivalence.populations.moves import Moves
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.model.network.frames import coded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import WindowPolicy
from environments.graph.state_graph import StateGraph
from environments.worlds import GraphWorlds

NEVER = -1e9
"""The logit of actions that were not drawn."""
NOT_RANDOM = -1


@dataclass(frozen=True)
class PlayConfig:
    """Which episodes are played."""

    target_return: float = 0.892
    """return that the model is asked for"""
    n_plays: int = 512
    """episodes"""
    most_random: int = 12
    """random actions that an episode begins with, at most: each number from 0 to this is drawn alike"""
    seed: int = 0
    """seed of starts and random actions"""

    def __post_init__(self) -> None:
        """Refuse nothing played."""
        require_at_least(self, 1, "n_plays")
        require_at_least(self, 0, "most_random")
        require_sensible(self)


@dataclass(frozen=True)
class PlayStarts:
    """Where plays begin: worlds with their starts, and the random actions that come first."""

    worlds: GraphWorlds
    plan: Int64[Tensor, "world step"]
    """the random actions; `NOT_RANDOM` from where the player acts"""

    def repeated(self, graph: StateGraph, n: int) -> "PlayStarts":
        """Return the same beginnings `n` times, all of them and then all of them again."""
        self.worlds.reset()
        first = self.worlds.state.repeat(n)
        worlds = GraphWorlds(graph, len(first), generator=generator(0, "own play/no later episode"), first=first)
        return PlayStarts(worlds, self.plan.repeat(n, 1))

    def played(self, policy: Policy[MemoryT]) -> "Plays":
        """Let a greedy player go on from each beginning, whatever it is shown."""
        steps, alive = [], []
        for step, running in _until_all_end(_AfterRandomActions(policy, self.plan), self.worlds):
            steps.append(step)
            alive.append(running)
        columns = {name: torch.stack([getattr(step, name) for step in steps], dim=1) for name in _RECORDED}
        self.worlds.reset()
        return Plays(self.worlds.state, torch.stack(alive, dim=1), **columns)


_RECORDED = ("frame_id", "action", "reward", "terminated")


@dataclass(frozen=True)
class Plays:
    """Episodes side by side, one a world."""

    start: Int64[Tensor, " world"]
    """states of the graph"""
    is_running: Bool[Tensor, "world step"]
    """whether the episode still goes on when the step is taken"""
    frame_id: Int64[Tensor, "world step"]
    """what the world showed: rows of its frames"""
    action: Int64[Tensor, "world step"]
    reward: Float32[Tensor, "world step"]
    terminated: Bool[Tensor, "world step"]

    @property
    def returned(self) -> Float32[Tensor, " world"]:
        """The return of each episode."""
        return (self.reward * self.is_running).sum(1)

    @property
    def ended(self) -> Int64[Tensor, " world"]:
        """How each episode ended: 2 with success, 1 otherwise before the time limit, 0 at it."""
        is_over = (self.terminated & self.is_running).any(1)
        return is_over.long() + (self.returned > 0).long()

    def split(self, n: int) -> list["Plays"]:
        """Return plays that were begun `n` times over, one part a time."""
        parts = [column.chunk(n) for column in vars(self).values()]
        return [Plays(*each) for each in zip(*parts, strict=True)]

    def same_actions(self, other: "Plays") -> Bool[Tensor, " world"]:
        """Return which episodes take the same actions as another player's from the same beginnings."""
        n = max(self.action.shape[1], other.action.shape[1])
        return (self._actions(n) == other._actions(n)).all(1)

    def _actions(self, n_steps: int) -> Int64[Tensor, "world step"]:
        taken = torch.where(self.is_running, self.action, NOT_RANDOM)
        return torch.nn.functional.pad(taken, (0, n_steps - taken.shape[1]), value=NOT_RANDOM)

    @property
    def moves(self) -> Moves:
        """What was done from where."""
        length = self.is_running.sum(1)
        return Moves(self.start.int(), self.action[self.is_running].to(torch.int8), length.int())


def beginnings(graph: StateGraph, config: PlayConfig) -> PlayStarts:
    """Draw starts and random actions; equal seeds give equal ones, so that players are paired by world."""
    worlds = GraphWorlds(graph, config.n_plays, generator=generator(config.seed, "own play/starts"))
    rng = numpy_generator(config.seed, "own play/random actions")
    plan = rng.integers(graph.n_actions, size=(config.n_plays, config.most_random))
    n_random = rng.integers(config.most_random + 1, size=(config.n_plays, 1))
    plan[np.arange(config.most_random) >= n_random] = NOT_RANDOM
    return PlayStarts(worlds, torch.from_numpy(plan))


def player(model: DecisionTransformer, begun: PlayStarts, target_return: float) -> WindowPolicy:
    """Return the model as a player in these worlds, asked for `target_return`."""
    return WindowPolicy(model, coded(begun.worlds, model.cfg.n_items), target_return=target_return)


def own_play(model: DecisionTransformer, graph: StateGraph, config: PlayConfig, *, asks_attainable: bool) -> Moves:
    """Return the model's own episodes, asked for the config's return or for what is still attainable at each step."""
    begun = beginnings(graph, config)
    if asks_attainable:
        return begun.played(_AskedForTheAttainable(model, begun, graph)).moves
    return begun.played(player(model, begun, config.target_return)).moves


class _AfterRandomActions(Generic[MemoryT]):
    """A policy whose first actions in each world were drawn beforehand; it remembers having taken them."""

    def __init__(self, policy: Policy[MemoryT], plan: Int64[Tensor, "world step"]) -> None:
        self._policy, self._plan, self._time = policy, plan, 0

    def start(self, n_worlds: int) -> MemoryT:
        self._time = 0
        return self._policy.start(n_worlds)

    def act(self, observation: Observation, memory: MemoryT) -> Decision[MemoryT]:
        decision = self._policy.act(observation, memory)
        if self._time >= self._plan.shape[1]:
            return decision
        planned = self._plan[:, self._time]
        self._time += 1
        is_planned = planned != NOT_RANDOM
        only = torch.full_like(decision.logits, NEVER).scatter(1, planned.clamp(min=0)[:, None], 0.0)
        return Decision(torch.where(is_planned[:, None], only, decision.logits), decision.memory)


class _AskedForTheAttainable(WindowPolicy):
    """A model that is asked at each step for what the shortest way from there would still return."""

    def __init__(self, model: DecisionTransformer, begun: PlayStarts, graph: StateGraph) -> None:
        super().__init__(model, coded(begun.worlds, model.cfg.n_items), target_return=0.0)
        self._worlds, self._graph = begun.worlds, graph

    def asked(self, observation: Observation, windows: Windows) -> Float32[Tensor, " world"]:
        time = torch.where(observation.is_first, 0, windows.time[:, -1] + 1)
        return attainable(self._graph, self._worlds.state, time)


def _until_all_end(policy: Policy[MemoryT], worlds: GraphWorlds) -> Iterator[tuple[Step, Bool[Tensor, " world"]]]:
    """Yield the steps of each world's first episode, and in which worlds it still goes on."""
    resting = Resting(policy)
    running = torch.ones(worlds.n_worlds, dtype=torch.bool)
    rng = generator(0, "own play/greedy draws nothing")
    for step in roll_out(resting, worlds, Greedy(), n_steps=worlds.max_steps, generator=rng):
        yield step, running
        running = running & ~step.is_last
        resting.is_over = ~running
        if not running.any():
            return
