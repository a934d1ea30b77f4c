"""A small real world, random episodes in it, and a small model that nobody trained."""

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.agents.policy import Decision, Observation
from dtinterp.dataset.split import Split, split
from dtinterp.demonstrations.collect import Share, collect
from dtinterp.demonstrations.samplers import Temperature
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.contexts import Contexts, draw_contexts
from dtinterp.equivalence.frames import most_visited
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import ModelConfig
from dtinterp.model.transformer import DecisionTransformer
from environments.graph.state_graph import StateGraph, state_graph
from environments.vocabulary import one_hot
from environments.worlds import GraphWorlds

ENV_ID = "MiniGrid-MemoryS7FixedStartStatic-v0"


class Indifferent:
    """A policy that likes all actions alike and remembers nothing."""

    def start(self, n_worlds: int) -> None:  # noqa: ARG002 - the protocol names it
        return None

    def act(self, observation: Observation, memory: None) -> Decision[None]:
        return Decision(torch.zeros(len(observation.frame_id), 7), memory)


@pytest.fixture(scope="session")
def graph() -> StateGraph:
    return state_graph(ENV_ID)


@pytest.fixture(scope="session")
def trajectories(graph: StateGraph) -> Trajectories:
    worlds = GraphWorlds(graph, 32, generator=generator(0, "worlds"))
    return collect(Indifferent(), worlds, [Share(Temperature(1.0), 12_000)], generator(0, "collect"))


@pytest.fixture(scope="session")
def halves(trajectories: Trajectories) -> Split:
    return split(trajectories, share=0.5, generator=generator(0, "split"))


@pytest.fixture(scope="session")
def items(trajectories: Trajectories) -> Float32[Tensor, "table item"]:
    return one_hot(trajectories.frames)


@pytest.fixture(scope="session")
def model() -> DecisionTransformer:
    """Its weights are large, so that every observation matters to it."""
    network = DecisionTransformer(ModelConfig(d_model=16, n_layers=2, n_heads=2, d_mlp=32), generator(0, "model"))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 8
    return network


@pytest.fixture(scope="session")
def contexts(trajectories: Trajectories, halves: Split) -> Contexts:
    """Four for each of the twelve most visited frames."""
    return draw_contexts(
        trajectories,
        halves.held_out,
        frame_id=most_visited(trajectories, halves.held_out, 12).frame_id,
        n_contexts=4,
        n_slots=10,
        generator=generator(0, "contexts"),
    )
