"""Classes become what a player that draws its actions still earns on them: episodes, paired by starts and luck.

A greedy player's return is exact (`quotient`). One that draws its actions has too many windows to follow, so it plays.
The same classes are shown to the agent that made the demonstrations: it never learnt from them, so what it loses is
what they hide from somebody who solves the task in another way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import AgentPolicy, RecurrentActorCritic
from dtinterp.agents.policy import Decision, MemoryT, Observation, Policy
from dtinterp.demonstrations.evaluate import Episodes, play_episodes
from dtinterp.demonstrations.samplers import Temperature
from dtinterp.dictionary.evaluation.acting import Played
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.foundation.statistics import bootstrap_mean, wilson
from dtinterp.model.network.frames import coded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import WindowPolicy
from environments.graph.state_graph import StateGraph
from environments.worlds import GraphWorlds

INTACT = "intact"
TEMPERATURE = 1.0
MODEL, AGENT = "model", "agent"


class SubstitutedPolicy(Generic[MemoryT]):
    """A policy that is shown one frame for another, at every step."""

    def __init__(self, policy: Policy[MemoryT], substitute: Int64[Tensor, " frame"]) -> None:
        """Show frame i of the worlds as frame `substitute[i]`."""
        self._policy, self._substitute = policy, substitute

    def start(self, n_worlds: int) -> MemoryT:
        """Return the policy's memory."""
        return self._policy.start(n_worlds)

    def act(self, observation: Observation, memory: MemoryT) -> Decision[MemoryT]:
        """Let the policy act on what it is shown."""
        return self._policy.act(replace(observation, frame_id=self._substitute[observation.frame_id]), memory)


@dataclass(frozen=True)
class QuotientRollout:
    """What one player earned at temperature 1 when it was shown one observation for each class."""

    player: str
    """model or agent"""
    shown: str
    """name of the partition, or intact"""
    n_classes: int | None
    """None where nothing was exchanged"""
    played: Played


@dataclass(frozen=True)
class Stage:
    """Where players are tried: all from the same starts, with the same random numbers."""

    graph: StateGraph
    n_episodes: int
    target_return: float
    """asked of the model"""
    seed: int


@dataclass(frozen=True)
class Substitution:
    """A partition as a player meets it."""

    n_classes: int
    substitute: Int64[Tensor, " frame"]
    """for each frame of the graph, the one that is shown in its place"""


def act_on(
    model: DecisionTransformer, agent: RecurrentActorCritic | None, exchanges: Mapping[str, Substitution], stage: Stage
) -> tuple[QuotientRollout, ...]:
    """Let the model play intact and on each exchange, and the agent too where there is one."""
    worlds = GraphWorlds(stage.graph, stage.n_episodes, generator=generator(stage.seed, "acted/starts"))
    policy = WindowPolicy(model, coded(worlds, model.cfg.n_items), target_return=stage.target_return)
    found = _fares(MODEL, policy, worlds, exchanges, stage.seed)
    if agent is not None:
        found += _fares(AGENT, AgentPolicy(agent, FrameItems(worlds)), worlds, exchanges, stage.seed)
    return tuple(found)


def _fares(
    player: str, policy: Policy[MemoryT], worlds: GraphWorlds, exchanges: Mapping[str, Substitution], seed: int
) -> list[QuotientRollout]:
    def episodes(substitute: Int64[Tensor, " frame"]) -> Episodes:
        luck = generator(seed, "acted/actions")
        return play_episodes(SubstitutedPolicy(policy, substitute), worlds, Temperature(TEMPERATURE), generator=luck)

    rng = numpy_generator(seed, f"acted/bootstrap/{player}")
    intact = episodes(torch.arange(len(worlds.frames)))
    return [QuotientRollout(player, INTACT, None, _played(intact, intact, rng))] + [
        QuotientRollout(player, name, each.n_classes, _played(episodes(each.substitute), intact, rng))
        for name, each in exchanges.items()
    ]


def _played(episodes: Episodes, intact: Episodes, rng: np.random.Generator) -> Played:
    return Played(
        success=wilson(int(episodes.success.sum()), len(episodes.success)),
        mean_return=bootstrap_mean(episodes.reward.double().numpy(), rng),
        change=bootstrap_mean((episodes.reward - intact.reward).double().numpy(), rng),
    )
