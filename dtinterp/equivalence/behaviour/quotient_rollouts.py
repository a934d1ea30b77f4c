"""Rollouts of players that draw their actions and are shown one observation for each class.

A greedy player's return is exact (`quotient`). One that draws its actions has too many windows to follow, so it plays.
The same classes are shown to the agent that made the demonstrations: it never learnt from them, so what it loses is
what they hide from somebody who solves the task in another way.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Int64
from torch import Tensor

from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import AgentPolicy, RecurrentActorCritic
from dtinterp.agents.policy import MemoryT, Policy
from dtinterp.dictionary.evaluation.acting import PairedReturn
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.interventions.returns.paired_rollouts import PairedRollouts, SubstitutedPolicy, paired_returns
from dtinterp.model.network.frames import coded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import WindowPolicy
from environments.graph.state_graph import StateGraph
from environments.worlds import GraphWorlds

INTACT = "intact"
SAMPLER = "temperature=1"
MODEL, AGENT = "model", "agent"


@dataclass(frozen=True)
class QuotientRollout:
    """What one player returned at temperature 1 when it was shown one observation for each class."""

    player: str
    """model or agent"""
    shown: str
    """name of the partition, or intact"""
    n_classes: int | None
    """None where nothing was exchanged"""
    played: PairedReturn


@dataclass(frozen=True)
class RolloutSetup:
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


def roll_out_quotients(
    model: DecisionTransformer,
    agent: RecurrentActorCritic | None,
    substitutions: Mapping[str, Substitution],
    setup: RolloutSetup,
) -> tuple[QuotientRollout, ...]:
    """Let the model play intact and on each substitution, and the agent too where there is one."""
    worlds = GraphWorlds(setup.graph, setup.n_episodes, generator=generator(setup.seed, "acted/starts"))
    rollouts = PairedRollouts(worlds, SAMPLER, setup.seed, "acted/actions")
    policy = WindowPolicy(model, coded(worlds, model.cfg.n_items), target_return=setup.target_return)
    found = _rollouts(MODEL, policy, rollouts, substitutions)
    if agent is not None:
        found += _rollouts(AGENT, AgentPolicy(agent, FrameItems(worlds)), rollouts, substitutions)
    return tuple(found)


def _rollouts(
    player: str, policy: Policy[MemoryT], rollouts: PairedRollouts, substitutions: Mapping[str, Substitution]
) -> list[QuotientRollout]:
    intact = rollouts.play(policy)
    episodes = {name: rollouts.play(SubstitutedPolicy(policy, each.substitute)) for name, each in substitutions.items()}
    rng = numpy_generator(rollouts.seed, f"acted/bootstrap/{player}")
    found = paired_returns({INTACT: intact, **episodes}, intact, rng)
    n_classes = {INTACT: None} | {name: each.n_classes for name, each in substitutions.items()}
    return [QuotientRollout(player, name, n_classes[name], each) for name, each in found.items()]
